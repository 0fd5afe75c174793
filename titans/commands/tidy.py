"""``make tidy``: removes old records and logs, and old history where ``keep_history_days`` is set."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from include.errors import TitansError, refusal
from include.files import files_in
from include.paths import StorePaths
from include.production import SOURCE_NAMES
from include.runs.records import Run, damaged_files
from include.runs.releases import quarantining_runs
from include.settings import Settings, load_shared_settings
from titans.airflow_env import database_of, set_airflow_environment
from titans.old_logs import clean_airflow_database, remove_dbt_files, remove_files, remove_log_files
from titans.output import console

KEPT_RUNS = 20
"""Run records of each DAG that stay whatever their age: the quarantine is read from them."""


def tidy(
    server: Annotated[bool, typer.Option(help="Airflow's database and logs are those of the environment.")] = False,
) -> None:
    """Remove records older than TITANS_KEEP_RECORDS_DAYS, logs and Airflow's rows older than TITANS_KEEP_LOGS_DAYS, and
    history older than TITANS_KEEP_HISTORY_DAYS."""
    settings = load_shared_settings()
    if not server:
        set_airflow_environment(settings.airflow_home)
    console.print(tidy_up(settings), soft_wrap=True)


def tidy_up(settings: Settings) -> str:
    """Remove what is old; returns one line that says what went. Needs Airflow's environment to be set.

    Raises:
        TitansError: a file cannot be removed, Airflow's database cannot be cleaned, or old history cannot be let go;
            says what went all the same.
    """
    removed: dict[str, int] = {}
    problems: list[str] = []
    # What cannot go keeps nothing else: on a full disk logs make the room that Airflow's database needs.
    for remove in (remove_old_records, remove_old_logs, remove_old_rows):
        with _noting(problems):
            removed |= remove(settings)
    history: list[str] = []
    with _noting(problems):
        history = remove_old_history(settings)
    what = ", ".join(f"{count:,} {name}" for name, count in removed.items() if count) or "nothing"
    line = (
        f"Removed    {what}; kept are run records and incidents of {settings.keep_records_days} days, "
        f"logs and Airflow's history of {settings.keep_logs_days}"
    )
    text = "; ".join([line, *history])
    if problems:
        raise TitansError(f"{' '.join(problems)} {' '.join(text.split())}.")
    return text


@contextmanager
def _noting(problems: list[str]) -> Iterator[None]:
    try:
        yield
    except TitansError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(refusal(error))


def remove_old_history(settings: Settings) -> list[str]:
    """Remove old landing files and superseded versions of every store, if ``keep_history_days`` is set.

    Returns:
        For each source, what went and from when on history is whole.

    Raises:
        TitansError: a build is under way, landing files wait to be loaded, or a file cannot be written or removed.
    """
    if settings.keep_history_days is None:
        return []
    from include.raw.retention import retire_history

    lines = []
    for name in SOURCE_NAMES:
        retired = retire_history(settings.store_of(name), settings.keep_history_days)
        if retired:
            lines.append(
                f"{retired.landing_files} landing files and {retired.versions} superseded versions of source {name} "
                f"went, and all of its history since {retired.kept_from:%Y-%m-%d %H:%M} UTC is kept"
            )
    return lines


def remove_old_records(settings: Settings, now: datetime | None = None) -> dict[str, int]:
    """Remove run records and incidents older than ``keep_records_days``.

    Landing files and the raw store are not touched. Releases stay, and the records of builds that put a unit into
    quarantine, because a rebuilt warehouse needs them.

    Returns:
        How many of each were removed.

    Raises:
        TitansError: a file cannot be removed.
    """
    before = ((now or datetime.now(UTC)) - timedelta(days=settings.keep_records_days)).timestamp()
    stores = [settings.store_of(name) for name in SOURCE_NAMES]
    found = {
        "run records": [path for store in stores for path in _run_records(store)],
        "incidents": [path for store in stores for path in files_in(store.incidents, ".md")],
    }
    old = {what: [path for path in paths if _modified(path) < before] for what, paths in found.items()}
    for paths in old.values():
        remove_files(paths)
    return {what: len(paths) for what, paths in old.items()}


def remove_old_logs(settings: Settings, now: datetime | None = None) -> dict[str, int]:
    """Remove Airflow's logs and dbt's files older than ``keep_logs_days``.

    Returns:
        How many of each were removed.

    Raises:
        TitansError: a file cannot be removed.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=settings.keep_logs_days)
    stores = [settings.store_of(name).root for name in SOURCE_NAMES]
    return {
        "log files": remove_log_files(Path(os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]), before),
        "files of dbt": remove_dbt_files(stores, settings.dbt_project_dir, before),
    }


def remove_old_rows(settings: Settings, now: datetime | None = None) -> dict[str, int]:
    """Remove the rows of Airflow's database older than ``keep_logs_days``; returns how many.

    Raises:
        TitansError: the database cannot be cleaned.
    """
    is_local = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("sqlite")
    if is_local and not database_of(settings.airflow_home).exists():
        return {}
    before = (now or datetime.now(UTC)) - timedelta(days=settings.keep_logs_days)
    return {"rows of Airflow's database": clean_airflow_database(before)}


def _run_records(store: StorePaths) -> Iterator[Path]:
    """Those that may go: all but the last of each DAG, and those that a rebuilt warehouse reads its quarantine from."""
    kept = {f"{Run(store, 'build_marts', run_id).name}.json" for run_id in quarantining_runs(store)}
    # One that cannot be read now may be one of these.
    kept |= {path.name for path in damaged_files(store) if path.name.startswith("build_marts.")}
    by_dag: dict[str, list[Path]] = {}
    for path in files_in(store.runs, ".json"):
        by_dag.setdefault(path.name.split(".", 1)[0], []).append(path)
    for paths in by_dag.values():
        oldest = sorted(paths, key=_modified)[:-KEPT_RUNS]
        yield from (path for path in oldest if path.name not in kept)


def _modified(path: Path) -> float:
    """When a file was written last, in seconds; of one that is gone by now, later than all."""
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:  # another tidy, or Airflow, has just removed it
        return math.inf
