"""Removal of old history where the owner chose to: landing files and superseded versions of prices and rates only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from include.commands import make_command
from include.errors import Runbook, TitansError
from include.files import sync_folder
from include.landing.index import LandingIndex
from include.landing.retention import RETIRED_DATASETS, kept_from, record_kept_from
from include.paths import StorePaths
from include.raw.lock import writer_lock
from include.raw.rules import RULES
from include.raw.store import open_warehouse, save_raw
from include.raw.versions import version_order
from include.shortage import shortage

_PATIENCE_SECONDS = 60.0
_CLOCK_TOLERANCE = timedelta(days=1)
"""An export of this evening in Hong Kong is not of the future."""
# What names a value, and the unit of quarantine that it belongs to.
_VERSIONED = {
    **{f"raw.{dataset}": (RULES[dataset].key, RULES[dataset].symbol) for dataset in RETIRED_DATASETS},
    "raw.corporate_actions": (("symbol", "date", "action"), "symbol"),
}


@dataclass(frozen=True)
class Retired:
    """What went.

    Attributes:
        kept_from: from then on history is whole.
    """

    kept_from: datetime
    landing_files: int
    versions: int


def retire_history(store: StorePaths, days: int) -> Retired | None:
    """Remove what was superseded more than ``days`` days before the newest fetch; returns None without a warehouse.

    Of each value the version that held at that time stays, and all later ones: marts are the same afterwards, and
    KNOWN_AT works from then on. The raw tables are saved before a landing file goes, so that a warehouse can still be
    rebuilt, and where versions alone went, so that it does not have them again. Always kept: estimates and share
    counts, files with a unit in quarantine or without a verdict, and of each symbol the file with the last fetched day.

    Raises:
        TitansError: a build is under way, landing files wait to be loaded, the newest fetch is of the future, or a file
            cannot be written or removed.
    """
    if not store.warehouse.exists():
        return None
    with writer_lock(store.warehouse, "make tidy", _PATIENCE_SECONDS):
        try:
            return _retire(store, days)
        except (OSError, duckdb.Error) as error:
            short = shortage(error, "make tidy", store) if isinstance(error, duckdb.Error) else None
            raise short or TitansError(
                f"Old history of source {store.source} cannot be let go ({str(error).splitlines()[0]}): "
                "free space, or make the folder writable, and run again. No version that counts is lost."
            ) from error


def _retire(store: StorePaths, days: int) -> Retired | None:
    landing = LandingIndex(store)
    with open_warehouse(store) as connection:
        _refuse_unloaded(connection, store, landing)
        begins = _beginning(connection, kept_from(store), days)
        if begins is None:
            return None
        is_left = store.raw_to_save.exists()
        # Before anything goes, so that no point-in-time build reads what may be gone, and no older file lands.
        record_kept_from(store, begins)
        landing = LandingIndex(store)
        _refuse_unloaded(connection, store, landing)  # an older file that an ingest task landed meanwhile
        # If saving them fails, the next run finds no version to drop and must save them all the same.
        store.raw_to_save.touch()
        versions = sum(_drop_versions(connection, table, begins) for table in _VERSIONED)
        old = _removable(connection, landing, begins)
        if not (old or versions or is_left):
            store.raw_to_save.unlink()
    if store.raw_to_save.exists():
        save_raw(store)
        store.raw_to_save.unlink()
        for path in old:
            path.unlink()
        for folder in {path.parent for path in old}:
            sync_folder(folder)
    return Retired(begins, len(old), versions)


def _refuse_unloaded(connection: duckdb.DuckDBPyConnection, store: StorePaths, landing: LandingIndex) -> None:
    loaded = {row[0] for row in connection.execute("select batch_id from raw.load_ledger").fetchall()}
    if waiting := [path.name for path, manifest in landing.batches() if manifest.batch_id not in loaded]:
        raise TitansError(
            f"{len(waiting)} landing files are not loaded yet, the first is {waiting[0]}: "
            f"{make_command(store.data_dir, 'run', SOURCE=store.source)} loads them, then tidy again: "
            f"{make_command(store.data_dir, 'tidy')}"
        )


def _beginning(connection: duckdb.DuckDBPyConnection, kept: datetime | None, days: int) -> datetime | None:
    """``days`` before the newest fetch, not before today: an idle store keeps its history, whatever the clock says.

    Args:
        kept: where the kept history begins already.
    """
    (newest,) = connection.execute(
        "select max(fetched_at) from raw.fetch_windows where list_contains(?, dataset)",
        [[str(dataset) for dataset in RETIRED_DATASETS]],
    ).fetchone() or (None,)
    if newest is None:
        return None
    newest = newest.replace(tzinfo=UTC)
    if newest > datetime.now(UTC) + _CLOCK_TOLERANCE:
        raise TitansError(
            f"The newest fetch is of {newest:%Y-%m-%d %H:%M} UTC, which is in the future: the clock was ahead then, "
            "and counting back from it would let too much history go. Nothing of it went. "
            f"{Runbook.LATE_DATA.path} says what to do with that fetch.",
            Runbook.LATE_DATA,
        )
    begins: datetime = newest - timedelta(days=days)
    return max(begins, kept or begins)


def _drop_versions(connection: duckdb.DuckDBPyConnection, table: str, begins: datetime) -> int:
    """Delete the versions that an accepted one had superseded by ``begins``. Versions in quarantine do neither."""
    keys, symbol = _VERSIONED[table]
    (count,) = connection.execute(
        f"""delete from {table} where rowid in (
            select versions.rowid
            from {table} as versions
            where versions.fetched_at < $begins
                and (batch_id, {symbol}) in
                    (select (batch_id, symbol) from raw.current_verdicts where verdict in ('accepted', 'released'))
            qualify row_number() over (partition by {", ".join(keys)} order by {version_order()} desc) > 1)""",
        {"begins": begins.replace(tzinfo=None)},
    ).fetchone() or (0,)
    return int(count)


def _removable(connection: duckdb.DuckDBPyConnection, landing: LandingIndex, begins: datetime) -> list[Path]:
    judged = set(
        connection.execute(
            """select batch_id, symbol from raw.current_verdicts
            where (batch_id, symbol) not in (select (batch_id, symbol) from raw.unhealed_units)"""
        ).fetchall()
    )
    is_good = set(
        connection.execute(
            "select batch_id, symbol from raw.current_verdicts where verdict <> 'quarantined'"
        ).fetchall()
    )
    # Of each symbol the file with the last day: the next fetch begins there.
    furthest = {
        (manifest.dataset, window.symbol): path
        for path, manifest, window in sorted(
            (
                (path, manifest, window)
                for path, manifest in landing.batches()
                for window in manifest.windows
                if window.last
            ),
            key=lambda each: (each[2].last, each[1].version),
        )
        if (manifest.batch_id, window.symbol) in is_good
    }
    needed = set(furthest.values())
    return [
        path
        for path, manifest in landing.batches()
        if manifest.dataset in RETIRED_DATASETS
        and manifest.fetched_at < begins
        and path not in needed
        and all((manifest.batch_id, window.symbol) in judged for window in manifest.windows)
    ]
