"""``make tidy``: removes old records and logs, and old history where ``keep_history_days`` is set."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.errors import TitansError
from include.files import files_in
from include.paths import StorePaths
from include.production import SOURCE_NAMES
from include.raw.retention import retire_history
from include.runs.records import Run
from include.runs.releases import quarantining_runs
from include.settings import Settings, load_shared_settings
from titans.output import console

KEPT_RUNS = 20
"""Run records of each DAG that stay whatever their age: the quarantine is read from them."""


def tidy() -> None:
    """Remove records and logs older than TITANS_KEEP_RECORDS_DAYS, and history older than TITANS_KEEP_HISTORY_DAYS."""
    settings = load_shared_settings()
    for line in [*remove_old_records(settings), *remove_old_history(settings)]:
        console.print(line, soft_wrap=True)


def remove_old_history(settings: Settings) -> list[str]:
    """Remove old landing files and superseded versions of every store, if ``keep_history_days`` is set.

    Returns:
        Lines that say what went of each source, and from when on history is whole.

    Raises:
        TitansError: a build is under way, landing files wait to be loaded, or a file cannot be written or removed.
    """
    if settings.keep_history_days is None:
        return ["Landing files and superseded versions stay: TITANS_KEEP_HISTORY_DAYS is not set."]
    lines = []
    for name in SOURCE_NAMES:
        retired = retire_history(settings.store_of(name), settings.keep_history_days)
        if retired:
            lines.append(
                f"Removed {retired.landing_files} landing files and {retired.versions} superseded versions "
                f"of source {name}; all of its history since {retired.kept_from:%Y-%m-%d %H:%M} UTC is kept."
            )
    return lines


def remove_old_records(settings: Settings, now: datetime | None = None) -> list[str]:
    """Remove run records, incidents and logs older than ``keep_records_days``.

    Landing files and the raw store are not touched. Releases stay, and the records of builds that put a unit into
    quarantine, because a rebuilt warehouse needs them.

    Returns:
        Lines that say how many of each were removed.

    Raises:
        TitansError: a file cannot be removed.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=settings.keep_records_days)
    stores = [settings.store_of(name) for name in SOURCE_NAMES]
    found = {
        "run records": [path for store in stores for path in _run_records(store)],
        "incidents": [path for store in stores for path in store.incidents.glob("*.md")],
        "log files": [
            path for folder, _, names in _walk(settings) for name in names if (path := folder / name).suffix == ".log"
        ],
    }
    lines = []
    for what, paths in found.items():
        old = [path for path in paths if _modified(path) < before.timestamp()]
        for path in old:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise TitansError(
                    f"{path} cannot be removed ({error.strerror}): make its folder writable and run again."
                ) from error
        lines.append(f"Removed {len(old)} {what} older than {settings.keep_records_days} days.")
    for folder, *_ in _walk(settings):
        if folder != settings.airflow_home / "logs":
            with contextlib.suppress(OSError):  # it holds something, or a task has just put something in
                folder.rmdir()
    return lines


def _run_records(store: StorePaths) -> Iterator[Path]:
    """Those that may go: all but the last of each DAG, and those that a rebuilt warehouse reads its quarantine from."""
    kept = {f"{Run(store, 'build_marts', run_id).name}.json" for run_id in quarantining_runs(store)}
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


def _walk(settings: Settings) -> Iterator[tuple[Path, list[str], list[str]]]:
    """The folders of logs, each after those in it, with its folders and files. One that goes meanwhile is passed over."""
    for folder, folders, names in os.walk(settings.airflow_home / "logs", topdown=False):
        yield Path(folder), folders, names
