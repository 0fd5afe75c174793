"""What Airflow and dbt write about their runs, by age: logs, dbt's files, and the rows of Airflow's database."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from include.errors import TitansError
from include.settings import PROJECT_ROOT

_RUN = re.compile(r"run_id=")
# Every table that grows with runs. The table of DAGs stays: one that has not been parsed for long is still a DAG.
_TABLES = (
    "asset_event", "callback", "dag_run", "dag_version", "deadline", "import_error", "job", "log", "revoked_token",
    "task_instance", "task_instance_history", "task_reschedule", "trigger", "xcom",
)  # fmt: skip
_ROWS = 10_000
"""Deleted in one transaction, so that no task waits for long."""
_SECONDS = 600
DOCS_PAGE = "static_index.html"


def remove_log_files(logs: Path, before: datetime) -> int:
    """Remove Airflow's log files that were last written before that moment; returns how many.

    The logs of a run go together, when nothing has been written to any of them since: never those of a run under way.

    Raises:
        TitansError: a file cannot be removed.
    """
    together: dict[Path, list[Path]] = {}
    for path in _files_below(logs):
        if ".log" in path.name:
            folder = next((each for each in path.parents if _RUN.match(each.name)), path)
            together.setdefault(folder, []).append(path)
    old = [path for paths in together.values() if not any(_is_since(path, before) for path in paths) for path in paths]
    remove_files(old)
    _remove_emptied(logs, old)
    return len(old)


def remove_dbt_files(stores: Iterable[Path], project: Path, before: datetime) -> int:
    """Remove dbt's logs and what it compiled, of the stores and of a dbt that a person ran; returns how many files.

    Every build writes anew what it still uses. The page of ``make docs`` stays: nothing else does.

    Raises:
        TitansError: a file cannot be removed.
    """
    folders = [work / part for work in (*(store / "dbt" for store in stores), project) for part in ("logs", "target")]
    files = [path for folder in folders for path in _files_below(folder)]
    old = [path for path in files if path.name != DOCS_PAGE and not _is_since(path, before)]
    remove_files(old)
    for folder in folders:
        _remove_emptied(folder, old)
    return len(old)


def clean_airflow_database(before: datetime) -> int:
    """``airflow db clean`` on the database that the environment names; returns how many rows went.

    It moves rows into a table of their own before it deletes them. One that was killed leaves that table, which goes first.

    Raises:
        TitansError: Airflow could not clean it.
    """
    tables = ("--yes", "--tables", ",".join(_TABLES))
    _airflow_db("drop-archived", *tables)
    said = _airflow_db(
        *("clean", *tables, "--skip-archive", "--error-on-cleanup-failure"),
        *("--clean-before-timestamp", before.isoformat(), "--batch-size", str(_ROWS)),
    )
    return sum(int(rows) for rows in re.findall(r"^Found (\d+) rows", said, re.MULTILINE))


def _airflow_db(*arguments: str) -> str:
    """What ``airflow db`` says. In a process of its own, since Airflow lets no task near its database."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", *arguments],
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_SECONDS,
            check=False,
            start_new_session=True,  # Ctrl-C reaches this process alone
        )
    except subprocess.TimeoutExpired as error:
        raise TitansError(
            f"Airflow's database could not be cleaned within {_SECONDS // 60} minutes: another process writes to it, or "
            "it is very large. The rest is tidied; run make tidy again when no DAG runs."
        ) from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise TitansError(
            f"Airflow's database could not be cleaned ({lines[-1] if lines else f'airflow db {arguments[0]} said nothing'}). "
            "The rest is tidied; run make tidy again when no DAG runs."
        )
    return done.stdout


def remove_files(paths: Iterable[Path]) -> None:
    """Remove each; one that has gone meanwhile is gone.

    Raises:
        TitansError: a file cannot be removed, and the others have gone.
    """
    refused: list[tuple[Path, OSError]] = []
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            refused.append((path, error))
    if refused:
        path, first = refused[0]
        more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise TitansError(
            f"{path}{more} cannot be removed ({first.strerror}): make its folder writable and run again."
        ) from first


def _files_below(root: Path) -> list[Path]:
    """Files of a folder and those in it. What goes meanwhile is passed over, as another tidy may remove it."""
    found = [Path(folder) / name for folder, _, names in os.walk(root) for name in names]
    return [path for path in found if not path.is_symlink()]


def _remove_emptied(root: Path, removed: Iterable[Path]) -> None:
    """The folders below ``root`` that held what was removed and hold nothing now. A task may just have made another."""
    folders = {folder for path in removed for folder in path.parents if root in folder.parents}
    for folder in sorted(folders, reverse=True):
        with contextlib.suppress(OSError):  # it holds something, or another tidy has removed it
            folder.rmdir()


def _is_since(path: Path, moment: datetime) -> bool:
    """Whether it was written since then. One that has gone meanwhile was not."""
    try:
        return path.lstat().st_mtime >= moment.timestamp()
    except FileNotFoundError:
        return False
