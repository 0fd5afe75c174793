"""The file that readers get: the marts of one build with their comments, verified and read-only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from pydantic_core import to_json

from include.errors import TitansError
from include.files import READ_ONLY, replacing
from include.gates.result import CheckResult
from include.limits import Limits, size_text
from include.paths import StorePaths
from include.publishing.manifest import Manifest

SCHEMAS = ("marts", "reports", "ops")
STORAGE_VERSION = "v1.0.0"
"""Every DuckDB client from 1.1 on reads it."""
SIMULATED_PREFIX = "SIMULATED DATA, not real. "
_OPS_TABLES = Path(__file__).with_name("ops_tables.sql")


@dataclass(frozen=True)
class GateResults:
    """What the gates of one build said.

    Attributes:
        ended_at: None for the build that is published now.
    """

    run_id: str
    ended_at: datetime | None
    checks: Sequence[CheckResult]


@dataclass(frozen=True)
class Build:
    """A build that passed its gates.

    Attributes:
        connection: its warehouse, attached as ``warehouse``.
        orders: of a table the columns by which its rows are written; a table without them has the order of its columns.
        results: of the gates of this build, and of earlier builds to publish along.
        accept_loss: why lost rows are accepted.
    """

    connection: duckdb.DuckDBPyConnection
    store: StorePaths
    orders: Mapping[str, Sequence[str]]
    results: GateResults
    earlier: Sequence[GateResults] = ()
    accept_loss: str | None = None


def write_marts_file(build: Build, target: Path, manifest: Manifest, published: Sequence[Manifest]) -> None:
    """Write the marts as one file, which appears whole.

    Args:
        published: the generations that ``ops.publications`` lists.

    Raises:
        OSError, duckdb.Error: the file could not be written or verified.
    """
    with replacing(target, READ_ONLY) as temporary:
        _fill(build, temporary, published)
        _verify(build.store.limits, temporary, manifest)


@contextmanager
def sentences(target: Path, warehouse: Path) -> Iterator[None]:
    """Say of a block that writes ``target`` why it could not.

    Args:
        warehouse: what is copied: the file takes no more room.

    Raises:
        TitansError: the file could not be written or verified.
        duckdb.Error: there was not enough memory, or the disk to spill to is full.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except (OSError, duckdb.Error) as error:
        first_line = str(error).splitlines()[0]
        raise TitansError(
            f"{target.name} could not be written to {target.parent} ({first_line}). "
            f"What was published before is untouched. Free space (up to {size_text(warehouse.stat().st_size)}) or make "
            "the folder writable, then run again."
        ) from error


def mart_row_counts(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, int]:
    """Rows of each table of ``marts`` by its name with the schema."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = ? and schema_name = 'marts' order by all",
        [database],
    ).fetchall()
    counts = {}
    for (table,) in tables:
        row = connection.execute(f'select count(*) from {database}.marts."{table}"').fetchone()
        counts[f"marts.{table}"] = int(row[0]) if row else 0
    return counts


def _fill(build: Build, temporary: Path, published: Sequence[Manifest]) -> None:
    connection = build.connection
    connection.execute(f"attach {_text(str(temporary))} as generation (storage_version '{STORAGE_VERSION}')")
    try:
        for schema in SCHEMAS:
            connection.execute(f"create schema generation.{schema}")
        _copy_tables(connection, build.orders)
        connection.execute(_OPS_TABLES.read_text(encoding="utf-8"))
        _write_ops(build, published)
        _label_tables(connection, _label(build.store))
        connection.execute("checkpoint generation")
    finally:
        connection.execute("detach generation")


def _copy_tables(connection: duckdb.DuckDBPyConnection, orders: Mapping[str, Sequence[str]]) -> None:
    tables = connection.execute(
        """select schema_name, table_name, comment from duckdb_tables()
        where database_name = 'warehouse' and list_contains(?, schema_name) and not regexp_matches(table_name, '__dbt_(tmp|backup)$')
        order by all""",
        [list(SCHEMAS)],
    ).fetchall()
    columns = connection.execute(
        """select schema_name, table_name, column_name, data_type, comment from duckdb_columns()
        where database_name = 'warehouse' order by schema_name, table_name, column_index"""
    ).fetchall()
    for schema, table, comment in tables:
        name = f'{schema}."{table}"'
        described = [row[2:] for row in columns if row[:2] == (schema, table)]
        texts = {column for column, kind, _ in described if kind == "VARCHAR"}
        # Readers that filter on the leading columns of the order skip most of the file.
        order = _order(connection, name, orders.get(table, ()), texts)
        connection.execute(f"create table generation.{name} as select * from warehouse.{name} order by {order}")
        # CREATE TABLE AS does not carry comments over.
        connection.execute(f"comment on table generation.{name} is {_text(comment or '')}")
        for column, _, description in described:
            if description:
                connection.execute(f'comment on column generation.{name}."{column}" is {_text(description)}')


def _order(connection: duckdb.DuckDBPyConnection, name: str, columns: Sequence[str], texts: Collection[str]) -> str:
    """What ``order by`` sorts a table of the warehouse by: all of its columns where none are named.

    For each text stands its place among those of its column, since a key of fixed width is sorted in half of the time.

    Args:
        texts: columns of text.
    """
    terms = []
    for place, column in enumerate(columns):
        term = f'"{column}"'
        if column in texts:
            connection.execute(  # with a text more: there is no type of none
                f"create or replace temp type order_{place} as enum "
                f"(select {term} from warehouse.{name} where {term} is not null union select '' order by all)"
            )
            term += f"::order_{place}"
        terms.append(term)
    return ", ".join(terms) or "all"


def _label_tables(connection: duckdb.DuckDBPyConnection, label: str) -> None:
    """Put ``label`` before the description of each table."""
    tables = connection.execute(
        "select schema_name, table_name, comment from duckdb_tables() where database_name = 'generation'"
    ).fetchall()
    for schema, table, comment in tables:
        connection.execute(f'comment on table generation.{schema}."{table}" is {_text(label + (comment or ""))}')


def _label(store: StorePaths) -> str:
    """What a reader must not overlook: the data are simulated, or as known on an earlier day."""
    return (SIMULATED_PREFIX if store.is_simulated else "") + (
        f"As known at the end of {store.known_at} (UTC). " if store.known_at else ""
    )


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _write_ops(build: Build, published: Sequence[Manifest]) -> None:
    if published:
        build.connection.executemany(
            "insert into generation.ops.publications values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                [
                    manifest.generation,
                    manifest.source,
                    manifest.is_simulated,
                    _naive(manifest.published_at),
                    manifest.as_of,
                    manifest.run_id,
                    manifest.checks_passed,
                    manifest.checks_warned,
                    manifest.accepted_loss,
                ]
                for manifest in published
            ],
        )
    rows = [_check_row(results, check) for results in (*build.earlier, build.results) for check in results.checks]
    if rows:
        build.connection.executemany(
            "insert into generation.ops.validation_results values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
        )


def _check_row(results: GateResults, check: CheckResult) -> list[object]:
    return [
        results.run_id, _naive(results.ended_at) if results.ended_at else None, check.gate, check.name, check.table,
        check.severity, check.status, check.failing_rows, check.why, to_json(check.examples).decode(),
    ]  # fmt: skip


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _verify(limits: Limits, path: Path, manifest: Manifest) -> None:
    """Open the file as a reader would and count its rows.

    Raises:
        OSError: a write-ahead log is left, or the counts differ from the warehouse's.
    """
    if Path(f"{path}.wal").exists():
        raise OSError(f"{path.name} was not fully written: a write-ahead log is left")
    with limits.in_memory() as reader:
        reader.execute(f"attach {_text(str(path))} as generation (read_only)")
        found = mart_row_counts(reader, "generation")
    if found != manifest.row_counts:
        different = sorted(name for name in manifest.row_counts if found.get(name) != manifest.row_counts[name])
        raise OSError(f"{path.name} does not hold the rows of {', '.join(different)}")
