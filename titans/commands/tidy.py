"""``make tidy``: removes old records and logs, and old history where ``keep_history_days`` is set."""

from __future__ import annotations

import contextlib
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
        "log files": list((settings.airflow_home / "logs").rglob("*.log")),
    }
    lines = []
    for what, paths in found.items():
        old = [path for path in paths if _is_older(path, before)]
        for path in old:
            try:
                path.unlink()
            except OSError as error:
                raise TitansError(
                    f"{path} cannot be removed ({error.strerror}): make its folder writable and run again."
                ) from error
        lines.append(f"Removed {len(old)} {what} older than {settings.keep_records_days} days.")
    _remove_empty_folders(settings.airflow_home / "logs")
    return lines


def _run_records(store: StorePaths) -> Iterator[Path]:
    """Those that may go: all but the last of each DAG, and those that a rebuilt warehouse reads its quarantine from."""
    kept = {f"{Run(store, 'build_marts', run_id).name}.json" for run_id in quarantining_runs(store)}
    by_dag: dict[str, list[Path]] = {}
    for path in files_in(store.runs, ".json"):
        by_dag.setdefault(path.name.split(".", 1)[0], []).append(path)
    for paths in by_dag.values():
        oldest = sorted(paths, key=lambda path: path.stat().st_mtime)[:-KEPT_RUNS]
        yield from (path for path in oldest if path.name not in kept)


def _is_older(path: Path, moment: datetime) -> bool:
    return path.lstat().st_mtime < moment.timestamp()


def _remove_empty_folders(root: Path) -> None:
    for folder in sorted((path for path in root.rglob("*") if path.is_dir() and not path.is_symlink()), reverse=True):
        with contextlib.suppress(OSError):  # it holds something, or a task has just put something in
            folder.rmdir()
