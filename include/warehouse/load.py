"""Landing to raw: every landing file that the ledger does not hold, row rules applied, unchanged rows skipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from include.calendars import load_calendars
from include.landing.batches import BatchManifest, check_content, landed
from include.reference import Reference
from include.settings import Settings
from include.sources.base import Dataset
from include.warehouse import load_sql


@dataclass(frozen=True)
class LoadedBatch:
    """What one landing file came to."""

    batch_id: str
    dataset: str
    rows_read: int
    rows_new: int
    rows_unchanged: int
    rows_rejected: int


def load_landing(
    connection: duckdb.DuckDBPyConnection, settings: Settings, reference: Reference, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> list[LoadedBatch]:
    """Append what is new. Each file is one transaction with its ledger row, so loading twice or dying halfway changes nothing.

    Returns:
        One entry for each file loaded now, in the order of fetching.
    """
    known = {row[0] for row in connection.execute("select batch_id from raw.load_ledger").fetchall()}
    pending = [(path, manifest) for path, manifest in landed(settings) if manifest.batch_id not in known]
    _load_calendar(connection, reference, [manifest for _, manifest in landed(settings)])
    register_securities(connection, reference)
    return [_load_file(connection, path, manifest, now()) for path, manifest in pending]


def register_securities(connection: duckdb.DuckDBPyConnection, reference: Reference) -> None:
    """Give the connection the seeds' securities as the temporary table ``seed_securities``."""
    connection.execute("create or replace temp table seed_securities (symbol varchar, kind varchar, exchange varchar, currency varchar)")
    connection.executemany(
        "insert into seed_securities values (?, ?, ?, ?)",
        [[row.symbol, row.kind, row.exchange, row.currency] for row in reference.securities],
    )


def _load_calendar(connection: duckdb.DuckDBPyConnection, reference: Reference, manifests: list[BatchManifest]) -> None:
    """Lay down the sessions from the year before the first fetched day to the end of the year of the last one, so that they follow the data."""
    windows = [window for manifest in manifests for window in manifest.windows]
    if not windows:
        return
    # Not the ends alone: a window may be asked for far ahead, where no calendar reaches.
    last_year = max(manifest.fetched_at for manifest in manifests).year
    first_year = min((window.first or window.start or window.end).year for window in windows) - 1
    calendars = load_calendars(reference, last_year)
    markets = {exchange.exchange: exchange.market for exchange in reference.exchanges}
    rows = [
        [exchange, markets[exchange], session.date, _utc(session.opens_at), _utc(session.closes_at), session.is_half_day]
        for exchange, calendar in calendars.items()
        for session in calendar.between(date(first_year, 1, 1), date(last_year, 12, 31))
    ]
    columns = list(zip(*rows, strict=True))
    names = ["exchange", "market", "date", "opens_at", "closes_at", "is_half_day"]
    connection.register("sessions_now", pa.table(dict(zip(names, [pa.array(column) for column in columns], strict=True))))
    connection.execute("begin; truncate raw.exchange_sessions; insert into raw.exchange_sessions select * from sessions_now; commit")
    connection.unregister("sessions_now")


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _load_file(connection: duckdb.DuckDBPyConnection, path: Path, manifest: BatchManifest, loaded_at: datetime) -> LoadedBatch:
    check_content(path, manifest)
    parameters: dict[str, object] = {
        "fetched_at": _utc(manifest.fetched_at),
        "loaded_at": _utc(loaded_at),
        "batch_id": manifest.batch_id,
        "source": manifest.source,
    }
    connection.execute("begin")
    try:
        connection.execute("create or replace temp table incoming as select * from read_parquet(?)", [str(path)])
        rows_read = _count(connection, "incoming")
        rules = load_sql.RULES[manifest.dataset]
        connection.execute(f"create or replace temp table judged as {rules.judge}", {"fetched_on": manifest.fetched_at.date()})
        _execute(connection, load_sql.reject(manifest.dataset, rules), parameters)
        rows_rejected = _count(connection, "judged where len(reasons) > 0")
        before = _count(connection, f"raw.{manifest.dataset}")
        _execute(connection, load_sql.append(manifest.dataset, rules), parameters)
        rows_new = _count(connection, f"raw.{manifest.dataset}") - before
        if manifest.dataset is Dataset.PRICES:
            _execute(connection, load_sql.APPEND_CORPORATE_ACTIONS, parameters)
            _execute(connection, load_sql.reassert_corporate_actions(), parameters)
        _execute(connection, load_sql.reassert(manifest.dataset, rules), parameters)
        loaded = LoadedBatch(manifest.batch_id, manifest.dataset, rows_read, rows_new, rows_read - rows_rejected - rows_new, rows_rejected)
        rejected = dict(connection.execute(f"select {rules.symbol}, count(*) from judged where len(reasons) > 0 group by all").fetchall())
        _record_fetches(connection, manifest, rejected)
        values = asdict(loaded)
        connection.execute(
            "insert into raw.load_ledger values ($batch_id, $dataset, $file_name, $rows_read, $rows_new, $rows_unchanged, $rows_rejected, $loaded_at)",
            {**values, "file_name": path.name, "loaded_at": _utc(loaded_at)},
        )
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return loaded


def _record_fetches(connection: duckdb.DuckDBPyConnection, manifest: BatchManifest, rejected: dict[str, int]) -> None:
    """What was asked for each symbol: with rows, without, and in vain."""
    for window in manifest.windows:
        connection.execute(
            "insert into raw.fetch_windows values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                manifest.batch_id,
                manifest.dataset,
                manifest.group,
                window.symbol,
                window.start,
                window.end,
                window.rows,
                rejected.get(window.symbol, 0),
                _utc(manifest.fetched_at),
                manifest.run_id,
                manifest.attempt,
                _utc(window.asked_at) if window.asked_at else None,
                window.address,
                window.content_hash,
            ],
        )
    for failure in manifest.failures:
        connection.execute(
            "insert into raw.failed_fetches values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                manifest.batch_id,
                manifest.dataset,
                failure.symbol,
                failure.start,
                failure.end,
                failure.reason,
                manifest.run_id,
                manifest.attempt,
                _utc(failure.asked_at),
                failure.address,
            ],
        )


def _execute(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, object]) -> None:
    """Run ``sql`` with those of ``parameters`` that it names: DuckDB refuses any other."""
    connection.execute(sql, {name: value for name, value in parameters.items() if f"${name}" in sql})


def _count(connection: duckdb.DuckDBPyConnection, what: str) -> int:
    row = connection.execute(f"select count(*) from {what}").fetchone()
    assert row is not None
    return int(row[0])
