"""Landing to raw: every landing file that the ledger does not hold, row rules applied, unchanged rows skipped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

import duckdb
import pyarrow as pa

from include.landing.batches import BatchManifest, checked_rows
from include.landing.index import LandedBatch, LandingIndex
from include.raw import rules as load_sql
from include.raw.settle import settle
from include.raw.transactions import transaction
from include.raw.units import Quarantine, Release
from include.raw.versions import version_order
from include.seeds.calendars import load_calendars
from include.seeds.rows import Reference
from include.sources.base import PROBLEM, SCHEMAS, Dataset


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
    connection: duckdb.DuckDBPyConnection,
    landing: LandingIndex,
    reference: Reference,
    releases: Sequence[Release],
    quarantines: Callable[[], Sequence[Quarantine]] = tuple,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[LoadedBatch]:
    """Append what is new, and let in what a person released.

    In a warehouse that is rebuilt, what gate 1 kept out stays out: a good delivery that came later would hide from it
    what was wrong.

    Each file is one transaction with its ledger row: loading twice or dying halfway changes nothing.

    Args:
        quarantines: what earlier builds put into quarantine. It is asked for if there is anything to load.

    Returns:
        One entry for each file loaded now, in the order of versions.
    """
    known = {row[0] for row in connection.execute("select batch_id from raw.load_ledger").fetchall()}
    _load_calendar(connection, reference, [batch.manifest for batch in landing.batches()])
    register_securities(connection, reference)
    loaded = []
    # A unit whose file was let go had healed before. What healed it may be gone too, so it is not released any more.
    landed = {batch.manifest.batch_id for batch in landing.batches()}
    releases = [release for release in releases if release.batch_id in landed]
    # Apply releases before the next file: a row equal to a released one is a duplicate and needs no check.
    for release in releases:
        _release(connection, landing, release, now())
    waiting = [batch for batch in landing.batches() if batch.manifest.batch_id not in known]
    kept_out: dict[str, list[Quarantine]] = defaultdict(list)
    for quarantine in quarantines() if waiting else ():
        kept_out[quarantine.unit.batch_id].append(quarantine)
    for batch in waiting:
        loaded.append(_load_file(connection, landing, batch, kept_out[batch.manifest.batch_id], now()))
        for release in releases:
            if release.batch_id == batch.manifest.batch_id:  # in a warehouse that is rebuilt
                _release(connection, landing, release, now())
    return loaded


def without_effect(connection: duckdb.DuckDBPyConnection, releases: Sequence[Release]) -> list[Release]:
    """Releases on record that let nothing in: the landing file of their unit is gone."""
    let_in = set(
        connection.execute("select batch_id, symbol from raw.current_verdicts where verdict = 'released'").fetchall()
    )
    return [release for release in releases if (release.batch_id, release.symbol) not in let_in]


def rejected_reasons(connection: duckdb.DuckDBPyConnection, batches: Sequence[LoadedBatch]) -> list[str]:
    """Why rows of these batches were rejected, in words, the most frequent reason first."""
    rows = connection.execute(
        """select array_to_string(reasons, ', ') as reason, count(*) as rows, max(symbol) as symbol, max(date) as day
        from raw.rejected_rows where list_contains(?, batch_id) group by reason order by rows desc, reason limit 5""",
        [[batch.batch_id for batch in batches]],
    ).fetchall()
    return [
        f"{reason}: {number} ({symbol} {day}{', ...' if number > 1 else ''})" for reason, number, symbol, day in rows
    ]


def _release(connection: duckdb.DuckDBPyConnection, landing: LandingIndex, release: Release, now: datetime) -> None:
    """Turn a release on record into a verdict, if it is none yet."""
    with transaction(connection):
        released = connection.execute(
            """insert into raw.unit_verdicts
            select batch_id, dataset, symbol, 'released', [$reason], $released_at::timestamptz::timestamp
            from raw.fetch_windows
            where batch_id = $batch_id and symbol = $symbol
                and (batch_id, symbol) not in
                    (select (batch_id, symbol) from raw.current_verdicts where verdict = 'released')
            returning batch_id""",
            release.model_dump(),
        ).fetchall()
        if released:
            _append_later_again(connection, landing, release.batch_id, now)
            settle(connection, [(release.batch_id, release.symbol)])


def register_securities(connection: duckdb.DuckDBPyConnection, reference: Reference) -> None:
    """Give the connection the seeds' securities as the temporary table ``seed_securities``."""
    connection.execute(
        """create or replace temp table seed_securities
        (symbol varchar, kind varchar, exchange varchar, currency varchar)"""
    )
    connection.executemany(
        "insert into seed_securities values (?, ?, ?, ?)",
        [[row.symbol, row.kind, row.exchange, row.currency] for row in reference.securities],
    )


def _load_calendar(connection: duckdb.DuckDBPyConnection, reference: Reference, manifests: list[BatchManifest]) -> None:
    """Store the sessions of the years that the data cover, and of the year before them."""
    windows = [window for manifest in manifests for window in manifest.windows]
    if not windows:
        return
    # Not the ends alone: a window may be asked for far ahead, where no calendar reaches.
    last_year = max(manifest.bound for manifest in manifests).year
    first_year = min((window.first or window.start or window.end).year for window in windows) - 1
    # Of files that were let go, the sessions are left.
    (laid_down_from,) = connection.execute("select min(year(date)) from raw.exchange_sessions").fetchone() or (None,)
    first_year = min(first_year, laid_down_from or first_year)
    calendars = load_calendars(reference, last_year)
    markets = {exchange.exchange: exchange.market for exchange in reference.exchanges}
    rows = [
        [
            exchange,
            markets[exchange],
            session.date,
            _utc(session.opens_at),
            _utc(session.closes_at),
            session.is_half_day,
        ]
        for exchange, calendar in calendars.items()
        for session in calendar.between(date(first_year, 1, 1), date(last_year, 12, 31))
    ]
    columns = list(zip(*rows, strict=True))
    names = ["exchange", "market", "date", "opens_at", "closes_at", "is_half_day"]
    connection.register(
        "sessions_now", pa.table(dict(zip(names, [pa.array(column) for column in columns], strict=True)))
    )
    connection.execute(
        "begin; truncate raw.exchange_sessions; insert into raw.exchange_sessions select * from sessions_now; commit"
    )
    connection.unregister("sessions_now")


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _load_file(
    connection: duckdb.DuckDBPyConnection,
    landing: LandingIndex,
    batch: LandedBatch,
    kept_out: Sequence[Quarantine],
    loaded_at: datetime,
) -> LoadedBatch:
    path, manifest = batch
    with transaction(connection):
        rules = load_sql.RULES[manifest.dataset]
        rows_read = _judge(connection, batch)
        for statement in load_sql.reject(manifest.dataset, rules):
            _execute(connection, statement, _parameters(manifest, loaded_at))
        rejected = dict(
            connection.execute(
                f"select {rules.symbol}, sum(copies)::bigint from judged where len(reasons) > 0 group by all"
            ).fetchall()
        )
        rows_rejected = sum(rejected.values())
        (rows_accepted,) = connection.execute(
            f"select coalesce(sum(copies), 0)::bigint from judged where {load_sql.IS_ACCEPTED}"
        ).fetchone() or (0,)
        rows_new = _append(connection, manifest, loaded_at)
        loaded = LoadedBatch(
            manifest.batch_id,
            manifest.dataset,
            rows_read,
            rows_new,
            rows_accepted - rows_new,
            rows_rejected,
        )
        _record_fetches(connection, manifest, rejected)
        for quarantine in kept_out:
            unit = quarantine.unit
            connection.execute(
                "insert into raw.unit_verdicts values (?, ?, ?, 'quarantined', ?, ?)",
                [unit.batch_id, unit.dataset, unit.symbol, unit.reasons, _utc(quarantine.decided_at)],
            )
        values = asdict(loaded)
        connection.execute(
            """insert into raw.load_ledger values (
                $batch_id, $dataset, $file_name, $rows_read, $rows_new, $rows_unchanged, $rows_rejected, $loaded_at)""",
            {**values, "file_name": path.name, "loaded_at": _utc(loaded_at)},
        )
        _append_later_again(connection, landing, manifest.batch_id, loaded_at)
    return loaded


def _append_later_again(
    connection: duckdb.DuckDBPyConnection, landing: LandingIndex, batch_id: str, loaded_at: datetime
) -> None:
    """Append later batches once more, in order, for the symbols that ``batch_id`` stored rows of.

    Later batches are those loaded already that come after it in the order of versions. The vendor sends A, then A again
    (unchanged, so not stored). Then a file from in between, which says B, is loaded or released: the latest version is A,
    and the store must say so. After a split that was missing, the same number may mean another value: later share counts,
    estimates and fundamentals are appended again too. The caller holds the transaction and ``seed_securities``.
    """
    stored = " union ".join(
        f"select {load_sql.RULES[dataset].symbol} as symbol from raw.{dataset} where batch_id = $batch_id"
        for dataset in Dataset
    )
    actions = "select symbol from raw.corporate_actions where batch_id = $batch_id"
    later = connection.execute(
        f"""select later.batch_id, list(later.symbol)
        from raw.fetch_windows as later
        inner join raw.fetch_windows as this on this.batch_id = $batch_id and this.symbol = later.symbol
        where {version_order("later")} > {version_order("this")} and (
            (later.dataset = this.dataset and later.symbol in ({stored} union {actions}))
            or (later.dataset in ('shares', 'estimates', 'fundamentals') and later.symbol in ({actions} and action = 'split')))
        group by later.batch_id, {version_order("later")} order by {version_order("later")}""",
        {"batch_id": batch_id},
    ).fetchall()
    by_id = {batch.manifest.batch_id: batch for batch in landing.batches()} if later else {}
    for later_id, symbols in later:
        if later_id in by_id:
            batch = by_id[later_id]
            _judge(connection, batch)
            symbol = load_sql.RULES[batch.manifest.dataset].symbol
            connection.execute(f"delete from judged where not list_contains(?, {symbol})", [symbols])
            _append(connection, batch.manifest, loaded_at)


def _judge(connection: duckdb.DuckDBPyConnection, batch: LandedBatch) -> int:
    """Read a landing file into ``judged``, with the reasons against each row; returns how many rows it has."""
    path, manifest = batch
    # A file lacks the columns that came after its version, and that of problems where there is none.
    connection.register("all_columns", SCHEMAS[manifest.dataset].append(PROBLEM).empty_table())
    connection.register("landed_rows", checked_rows(path, manifest))
    connection.execute("create or replace temp table incoming as from all_columns union all by name from landed_rows")
    connection.unregister("landed_rows")
    judge = load_sql.RULES[manifest.dataset].judge
    _execute(
        connection,
        f"create or replace temp table judged as {judge}",
        _parameters(manifest, manifest.fetched_at) | {"bound": manifest.bound},
    )
    return _count(connection, "incoming")


def _append(connection: duckdb.DuckDBPyConnection, manifest: BatchManifest, loaded_at: datetime) -> int:
    """Store what is new of ``judged``; returns how many rows, dividends and splits not counted."""
    parameters = _parameters(manifest, loaded_at)
    # A split first: whether the prices beside it are another statement depends on it.
    if manifest.dataset is Dataset.PRICES:
        _execute(connection, load_sql.APPEND_CORPORATE_ACTIONS, parameters)
    before = _count(connection, f"raw.{manifest.dataset}")
    _execute(connection, load_sql.append(manifest.dataset, load_sql.RULES[manifest.dataset]), parameters)
    return _count(connection, f"raw.{manifest.dataset}") - before


def _parameters(manifest: BatchManifest, loaded_at: datetime) -> dict[str, object]:
    return {
        "fetched_at": _utc(manifest.fetched_at),
        "landed_at": _utc(manifest.version[1]),
        "loaded_at": _utc(loaded_at),
        "batch_id": manifest.batch_id,
        "source": manifest.source,
    }


def _record_fetches(connection: duckdb.DuckDBPyConnection, manifest: BatchManifest, rejected: dict[str, int]) -> None:
    """What was asked for each symbol: with rows, without rows, and failed."""
    windows = manifest.windows
    # One statement for all: a statement for each symbol took longer than its rows.
    connection.execute(
        """insert into raw.fetch_windows
        select $batch_id, $dataset, $market, unnest($symbols), unnest($starts), unnest($ends), unnest($rows),
            unnest($rejected), $fetched_at, $landed_at, $run_id, $attempt, unnest($asked_at), unnest($addresses),
            unnest($hashes)""",
        {
            "batch_id": manifest.batch_id,
            "dataset": manifest.dataset,
            "market": manifest.group,
            "symbols": [window.symbol for window in windows],
            "starts": [window.start for window in windows],
            "ends": [window.end for window in windows],
            "rows": [window.rows for window in windows],
            "rejected": [rejected.get(window.symbol, 0) for window in windows],
            "fetched_at": _utc(manifest.fetched_at),
            "landed_at": _utc(manifest.version[1]),
            "run_id": manifest.run_id,
            "attempt": manifest.attempt,
            "asked_at": [_utc(window.asked_at) if window.asked_at else None for window in windows],
            "addresses": [window.address for window in windows],
            "hashes": [window.content_hash for window in windows],
        },
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
