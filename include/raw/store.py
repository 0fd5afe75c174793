"""The warehouse file of one source: opening it, and the raw tables that hold every accepted row for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from include.errors import Runbook, TitansError
from include.files import replacing
from include.settings import Settings

SCHEMA_VERSION = 2

# Behind every raw row: when the vendor answered, when the value could be known, whose splits it includes, where it came from.
_TIME_COLUMNS = """
    fetched_at timestamp not null,
    known_from timestamp not null,
    basis_date date not null,
    batch_id varchar not null,
    source varchar not null,
    loaded_at timestamp not null
"""

_DDL = f"""
create schema if not exists meta;
create schema if not exists raw;
create table if not exists meta.store (source varchar not null, schema_version integer not null);
create table if not exists meta.builds (build_id varchar primary key, transformed_at timestamp not null, passed_at timestamp);

create table if not exists raw.prices (
    symbol varchar not null, date date not null, open double, high double, low double, close double not null,
    volume bigint, currency varchar not null, {_TIME_COLUMNS});
create table if not exists raw.corporate_actions (
    symbol varchar not null, date date not null, action varchar not null, value double not null, currency varchar, {_TIME_COLUMNS});
create table if not exists raw.fx_rates (
    base_currency varchar not null, quote_currency varchar not null, date date not null, rate double not null, {_TIME_COLUMNS});
create table if not exists raw.shares (
    symbol varchar not null, as_of date not null, shares_outstanding double not null, share_class varchar, note varchar, {_TIME_COLUMNS});
create table if not exists raw.estimates (
    symbol varchar not null, as_of date not null, metric varchar not null, period_type varchar not null, period_end date not null,
    period_label varchar, mean double not null, low double, high double, analyst_count bigint, currency varchar not null,
    note varchar, {_TIME_COLUMNS});

create table if not exists raw.rejected_rows (
    dataset varchar not null, symbol varchar, date date, reasons varchar[] not null, row_values varchar not null,
    batch_id varchar not null, fetched_at timestamp not null, loaded_at timestamp not null);
create table if not exists raw.fetch_windows (
    batch_id varchar not null, dataset varchar not null, market varchar not null, symbol varchar not null, start_date date, end_date date not null,
    row_count bigint not null, rejected_count bigint not null, fetched_at timestamp not null, run_id varchar not null, attempt integer not null,
    asked_at timestamp, address varchar, content_hash varchar);
create table if not exists raw.failed_fetches (
    batch_id varchar not null, dataset varchar not null, symbol varchar not null, start_date date, end_date date not null, reason varchar not null,
    run_id varchar not null, attempt integer not null, asked_at timestamp not null, address varchar);
create table if not exists raw.load_ledger (
    batch_id varchar primary key, dataset varchar not null, file_name varchar not null, rows_read bigint not null, rows_new bigint not null,
    rows_unchanged bigint not null, rows_rejected bigint not null, loaded_at timestamp not null);
create table if not exists raw.unit_verdicts (
    batch_id varchar not null, dataset varchar not null, symbol varchar not null, verdict varchar not null, reasons varchar[] not null,
    decided_at timestamp not null);
create table if not exists raw.exchange_sessions (
    exchange varchar not null, market varchar not null, date date not null, opens_at timestamp not null, closes_at timestamp not null,
    is_half_day boolean not null);

create or replace view raw.current_verdicts as
select batch_id, dataset, symbol, verdict, reasons, decided_at
from raw.unit_verdicts
qualify row_number() over (partition by batch_id, symbol order by decided_at desc, verdict desc) = 1;

-- Units in quarantine that no later good delivery of the same symbol has healed; newest first.
create or replace view raw.unhealed_units as
select verdicts.batch_id, verdicts.dataset, verdicts.symbol, verdicts.reasons, windows.fetched_at
from raw.current_verdicts as verdicts
inner join raw.fetch_windows as windows on verdicts.batch_id = windows.batch_id and verdicts.symbol = windows.symbol
where verdicts.verdict = 'quarantined'
    and not exists (
        select 1
        from raw.current_verdicts as later
        inner join raw.fetch_windows as fetches on later.batch_id = fetches.batch_id and later.symbol = fetches.symbol
        where later.dataset = verdicts.dataset and later.symbol = verdicts.symbol and later.verdict in ('accepted', 'released')
            and fetches.row_count > 0 and (fetches.fetched_at, later.decided_at) > (windows.fetched_at, verdicts.decided_at))
order by windows.fetched_at desc, verdicts.symbol;
"""


@contextmanager
def open_warehouse(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the source's warehouse, made and described on first use. The caller holds the writer lock.

    Raises:
        TitansError: the file is damaged or belongs to another source.
    """
    path = settings.warehouse_path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = duckdb.connect(str(path))
    except duckdb.Error as error:
        raise TitansError(_damaged(path, str(error).splitlines()[0]), Runbook.WAREHOUSE_DAMAGED) from error
    try:
        connection.execute("set timezone = 'UTC'")
        try:
            connection.execute(_DDL)
        except duckdb.Error as error:
            raise TitansError(_damaged(path, str(error).splitlines()[0]), Runbook.WAREHOUSE_DAMAGED) from error
        if connection.execute("select count(*) from meta.store").fetchone() == (0,):
            _begin_store(connection, settings)
        _check_owner(connection, settings, "warehouse", path)
        yield connection
    finally:
        connection.close()


def _begin_store(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Give a new warehouse what was saved of its raw tables, where landing files were let go, and then its owner.

    Raises:
        TitansError: what was saved cannot be read.
    """
    saved = saved_raw_path(settings)
    if saved.exists() and not settings.known_at:
        try:
            copy_raw(connection, saved, settings)
        except TitansError as error:
            raise TitansError(
                f"{saved} cannot be read, and it holds what landing files held that make tidy let go. What was published is untouched. "
                "Bring a copy of it back. If there is none, move it and landing/kept_from.json away and fetch the older history again, with start and end.",
                Runbook.WAREHOUSE_DAMAGED,
            ) from error
    connection.execute("insert into meta.store values (?, ?)", [settings.source, SCHEMA_VERSION])


def saved_raw_path(settings: Settings) -> Path:
    """A copy of the raw tables, for a warehouse that is rebuilt: made when landing files are let go."""
    return settings.store_dir / "raw_tables.duckdb"


def save_raw(settings: Settings) -> None:
    """Write the raw tables of the warehouse to ``saved_raw_path()``, whole or not at all. The caller holds the writer lock, and no connection."""
    path = saved_raw_path(settings)
    with replacing(path) as temporary, duckdb.connect(str(temporary)) as connection:
        connection.execute(_DDL)
        copy_raw(connection, settings.warehouse_path, settings)
        connection.execute("insert into meta.store values (?, ?)", [settings.source, SCHEMA_VERSION])


def copy_raw(connection: duckdb.DuckDBPyConnection, path: Path, settings: Settings) -> None:
    """Fill the raw tables of an open, new warehouse with those of the one at ``path``, which is only read: all of them or none, and the same if done again.

    The caller holds that one's writer lock.

    Raises:
        TitansError: the file at ``path`` is damaged or belongs to another source.
    """
    literal = str(path).replace("'", "''")
    try:
        connection.execute(f"attach '{literal}' as store (read_only)")
    except duckdb.Error as error:
        raise TitansError(_damaged(path, str(error).splitlines()[0]), Runbook.WAREHOUSE_DAMAGED) from error
    try:
        _check_owner(connection, settings, "store", path)
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'store' and schema_name = 'raw'"
        ).fetchall()
        connection.execute("begin")
        try:
            for (table,) in tables:
                connection.execute(
                    f"delete from raw.{table}; insert into raw.{table} by name select * from store.raw.{table}"
                )
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")  # nothing can be detached in the middle of a transaction
            raise
    finally:
        connection.execute("detach store")


def _check_owner(connection: duckdb.DuckDBPyConnection, settings: Settings, database: str, path: Path) -> None:
    try:
        rows = connection.execute(f"select source, schema_version from {database}.meta.store").fetchall()
    except duckdb.Error as error:
        raise TitansError(_damaged(path, str(error).splitlines()[0]), Runbook.WAREHOUSE_DAMAGED) from error
    if len(rows) != 1 or rows[0][0] != settings.source:
        owner = rows[0][0] if rows else "no source"
        raise TitansError(
            f"Warehouse {path} belongs to source {owner}, and this build is of source {settings.source}: "
            "simulated and real rows never meet. Run with the source it belongs to, or give DATA=<another folder>.",
            Runbook.WAREHOUSE_DAMAGED,
        )
    if rows[0][1] != SCHEMA_VERSION:
        raise TitansError(
            f"Warehouse {path} has layout {rows[0][1]}, this version writes layout {SCHEMA_VERSION}: "
            "move the file away and run again; it is rebuilt from the landing files.",
            Runbook.WAREHOUSE_DAMAGED,
        )


def _damaged(path: Path, detail: str) -> str:
    return (
        f"Warehouse {path} cannot be opened as a DuckDB file ({detail}). What was published is untouched. "
        f"Move {path.name} and its .wal away and run again: it is rebuilt from the landing files."
    )
