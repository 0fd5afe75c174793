"""The warehouse file of one source: opening it, and the raw tables that hold every accepted row for good."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import duckdb
from jinja2 import Template

from include.errors import Runbook, TitansError, refused_in
from include.files import replacing
from include.paths import StorePaths
from include.raw.transactions import transaction
from include.raw.versions import version_order
from include.shortage import shortage

SCHEMA_VERSION = 3
PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.2
_BEGINNINGS = 5
_Result = TypeVar("_Result")

_DDL = Template(Path(__file__).with_name("tables.sql").read_text(encoding="utf-8")).render(version_order=version_order)


@contextmanager
def open_warehouse(store: StorePaths) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the source's warehouse, made and described on first use. The caller holds the writer lock.

    Raises:
        TitansError: the file is damaged or belongs to another source, or memory or the disk did not suffice to open it.
    """
    path = store.warehouse
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(store.spill, ignore_errors=True)  # what a killed process left
    connection = _connect(store)
    try:
        connection.execute("set timezone = 'UTC'")
        try:
            if connection.execute(
                "from duckdb_tables() where schema_name = 'meta' and table_name = 'store'"
            ).fetchone():
                _check_layout(connection, "warehouse", path)
            connection.execute(_DDL)
        except duckdb.Error as error:
            raise shortage(error, "Opening the warehouse", store) or _unopened(path, error) from error
        if connection.execute("select count(*) from meta.store").fetchone() == (0,):
            _begin_store(connection, store)
        _check_owner(connection, store.source, "warehouse", path)
        try:
            yield connection
        except duckdb.IOException as error:
            if "Corrupt database file" in str(error):  # a block, found when it is read
                raise _unopened(path, error) from error
            raise
    finally:
        connection.close()


def _begin_store(connection: duckdb.DuckDBPyConnection, store: StorePaths) -> None:
    """Give a new warehouse what was saved of its raw tables, where landing files were let go, and then its owner.

    Raises:
        TitansError: what was saved cannot be read.
    """
    saved = store.saved_raw
    if saved.exists() and not store.known_at:
        try:
            copy_raw(connection, saved, store.source, oldest_layout=2)
        except TitansError as error:
            raise TitansError(
                f"{saved} cannot be read, and it holds what landing files held that make tidy let go. "
                "What was published is untouched. Bring a copy of it back. If there is none, move it and "
                "landing/kept_from.json away and fetch the older history again, with start and end.",
                Runbook.WAREHOUSE_DAMAGED,
            ) from error
    connection.execute("insert into meta.store values (?, ?)", [store.source, SCHEMA_VERSION])


def save_raw(store: StorePaths) -> None:
    """Write the raw tables of the warehouse to ``store.saved_raw``, whole or not at all.

    The caller holds the writer lock, and no connection.

    Raises:
        OSError, duckdb.Error: the file could not be written, or does not hold what the warehouse holds.
        TitansError: the warehouse cannot be read.
    """
    with replacing(store.saved_raw) as temporary:
        with duckdb.connect(str(temporary), config=store.duckdb_config) as connection:
            connection.execute(_DDL)
            copy_raw(connection, store.warehouse, store.source)
            connection.execute("insert into meta.store values (?, ?)", [store.source, SCHEMA_VERSION])
            connection.execute("checkpoint")  # to close the file does so too, and says nothing where the disk is full
        is_alone = not temporary.with_name(f"{temporary.name}.wal").exists()  # a log beside it would not come along
        if not is_alone or _rows_of_raw(store, temporary) != _rows_of_raw(store, store.warehouse):
            raise OSError(f"{store.saved_raw.name} was not fully written")


def _rows_of_raw(store: StorePaths, path: Path) -> list[tuple[str, int]]:
    """How many rows each raw table of a file has."""
    with duckdb.connect(str(path), read_only=True, config=store.duckdb_config) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'raw' order by all"
        ).fetchall()
        counts = [(table, connection.execute(f"select count(*) from raw.{table}").fetchone()) for (table,) in tables]
    return [(table, row[0] if row else 0) for table, row in counts]


def copy_raw(
    connection: duckdb.DuckDBPyConnection, path: Path, source: str, oldest_layout: int = SCHEMA_VERSION
) -> None:
    """Fill the raw tables of an open, new warehouse with those of the one at ``path``, which is only read.

    All of them or none; the result is the same if it is done again. The caller holds the writer lock of ``path``. Rows
    of layout 2 do not say when they landed: when their file was loaded, which ordered them, stands in.

    Raises:
        TitansError: the file at ``path`` is damaged or belongs to another source.
    """
    literal = str(path).replace("'", "''")
    try:
        connection.execute(f"attach '{literal}' as store (read_only)")
    except duckdb.Error as error:
        raise _unopened(path, error) from error
    try:
        _check_owner(connection, source, "store", path)
        _check_layout(connection, "store", path, oldest_layout)
        tables = connection.execute(
            """select table_name, exists(
                select 1 from duckdb_columns() as missing
                where missing.database_name = current_database() and missing.schema_name = 'raw'
                    and missing.table_name = tables.table_name and missing.column_name = 'landed_at'
                    and not exists(
                        select 1 from duckdb_columns() as columns
                        where columns.table_oid = tables.table_oid and columns.database_name = 'store'
                            and columns.column_name = 'landed_at'))
            from duckdb_tables() as tables where database_name = 'store' and schema_name = 'raw'"""
        ).fetchall()
        with transaction(connection):  # nothing can be detached in the middle of one
            for table, is_undated in tables:
                landed = ", ledger.loaded_at as landed_at" if is_undated else ""
                join = "inner join store.raw.load_ledger as ledger on ledger.batch_id = rows.batch_id"
                connection.execute(
                    f"delete from raw.{table}; insert into raw.{table} by name "
                    f"select rows.*{landed} from store.raw.{table} as rows {join if is_undated else ''}"
                )
    finally:
        connection.execute("detach store")


def _check_owner(connection: duckdb.DuckDBPyConnection, source: str, database: str, path: Path) -> None:
    try:
        rows = connection.execute(f"select source, schema_version from {database}.meta.store").fetchall()
    except duckdb.Error as error:
        raise _unopened(path, error) from error
    if len(rows) != 1 or rows[0][0] != source:
        owner = rows[0][0] if rows else "no source"
        raise TitansError(
            f"Warehouse {path} belongs to source {owner}, and this build is of source {source}: "
            "simulated and real rows never meet. Run with the source it belongs to, or give DATA=<another folder>.",
            Runbook.WAREHOUSE_DAMAGED,
        )


def _check_layout(
    connection: duckdb.DuckDBPyConnection, database: str, path: Path, oldest: int = SCHEMA_VERSION
) -> None:
    layouts = [row[0] for row in connection.execute(f"select schema_version from {database}.meta.store").fetchall()]
    if any(not oldest <= layout <= SCHEMA_VERSION for layout in layouts):
        raise TitansError(
            f"Warehouse {path} has layout {layouts[0]}, this version writes layout {SCHEMA_VERSION}: "
            "move the file away and run again; it is rebuilt from the landing files.",
            Runbook.WAREHOUSE_DAMAGED,
        )


def _connect(store: StorePaths) -> duckdb.DuckDBPyConnection:
    """Open the file. A client that has it open is given time to close it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return duckdb.connect(str(store.warehouse), config=store.duckdb_config)
        except duckdb.Error as error:
            if not _is_held(error) or time.monotonic() >= deadline:
                raise (shortage(error, "Opening the warehouse", store) or _unopened(store.warehouse, error)) from error
        time.sleep(_POLL_SECONDS)


def with_patience(store: StorePaths, work: Callable[[], _Result]) -> _Result:
    """What ``work`` returns, in which a library opens the warehouse. It begins again where a client had the file open.

    Raises:
        TitansError: a client has it open for longer than a minute.
    """
    for _ in range(_BEGINNINGS):
        try:
            return work()
        except Exception as error:  # each library has its own
            if not _is_held(error):
                raise
        _connect(store).close()
    return work()


def _is_held(error: Exception) -> bool:
    return "Could not set lock on file" in str(error)


def _unopened(path: Path, error: duckdb.Error) -> TitansError:
    """What stands in the way of a warehouse: a client that has it open, the system, or damage."""
    detail = str(error).splitlines()[0]
    if _is_held(error):
        return TitansError(
            f"Warehouse {path} is open in another process, and is not damaged ({detail}). Leave the file where it is: "
            "close that client, then run again. Readers belong on published/titans.duckdb.",
            Runbook.WAREHOUSE_LOCKED,
        )
    if isinstance(error, duckdb.IOException) and (reason := refused_in(detail)):
        return TitansError(
            f"Warehouse {path} cannot be opened ({reason}), which says nothing of what is in it. Leave the file where "
            "it is: free space or change who may write there, then run again.",
            Runbook.PUBLISH_FAILED,
        )
    return TitansError(
        f"Warehouse {path} cannot be opened as a DuckDB file ({detail}). What was published is untouched. "
        f"Move {path.name} and its .wal away and run again: it is rebuilt from the landing files.",
        Runbook.WAREHOUSE_DAMAGED,
    )
