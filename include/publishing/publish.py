"""Marts to a published generation: a new file, whole and verified, and then the link."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from include.errors import TitansError
from include.files import READ_ONLY, replacing, write_whole
from include.gates.result import CheckResult
from include.publishing import generations
from include.publishing.changes import changed_tables
from include.publishing.generations import Manifest
from include.runs.records import RunRecord, run_records
from include.settings import Settings

SCHEMAS = ("marts", "ops")
STORAGE_VERSION = "v1.0.0"
"""Every DuckDB client from 1.1 on reads it."""
SIMULATED_PREFIX = "SIMULATED DATA, not real. "

_OPS_TABLES = {
    "publications": (
        "Every generation that is kept, of any source.",
        {
            "generation": ("varchar", "Name of the generation: UTC time and version of the code."),
            "source": ("varchar", "The store that it was built from."),
            "is_simulated": ("boolean", "Whether its numbers are simulated."),
            "published_at": ("timestamp", "When it was published (UTC)."),
            "as_of": ("date", "Last session up to which the data of all exchanges are complete."),
            "run_id": ("varchar", "The build that made it."),
            "checks_passed": ("integer", "Expectations of both gates that passed."),
            "checks_warned": ("integer", "Expectations that failed with severity warning."),
            "accepted_loss": ("varchar", "Why lost rows were accepted, where they were."),
        },
    ),
    "validation_results": (
        "Every expectation of the last builds, as it came out.",
        {
            "run_id": ("varchar", "The build that ran it."),
            "run_ended_at": ("timestamp", "When that build ended (UTC); NULL for the one that made this generation."),
            "gate": ("varchar", "check_raw (gate 1) or check_marts (gate 2)."),
            "name": ("varchar", "Name of the expectation."),
            "table_name": ("varchar", "Table that it reads."),
            "severity": ("varchar", "critical or warning."),
            "status": ("varchar", "passed, warning, failed, or error where it could not run."),
            "failing_rows": ("integer", "How many rows or units failed."),
            "why": ("varchar", "Why the expectation is there."),
            "examples": ("varchar", "Some of the failing keys, as JSON."),
        },
    ),
}
_KEPT_BUILDS = 20


def last_complete_session(connection: duckdb.DuckDBPyConnection) -> date:
    """The last session of any exchange up to which the data of all are complete; a holiday of one does not hold it back."""
    row = connection.execute(
        "select max(as_of) from marts.fct_headlines where as_of <= (select min(exchange_complete_until) from ops.freshness)"
    ).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]  # DuckDB rows are not typed


def publish(
    connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str, checks: Sequence[CheckResult]
) -> dict[str, object]:
    """Publish the marts of an open warehouse, if any row of them changed.

    Args:
        connection: the warehouse, attached as ``warehouse``.
        checks: results of this build's gates, for ``ops`` and the manifest.

    Returns:
        ``generation`` (the newest of this source), ``is_new``, ``changed`` (tables), ``is_held``, ``changed_source_from``.

    Raises:
        TitansError: the file could not be written or verified; the link still names the generation before.
    """
    settings.published_dir.mkdir(mode=generations.FOLDER_MODE, parents=True, exist_ok=True)
    last = generations.last_of_source(settings)
    changed = (
        ["marts"]
        if last is None
        else changed_tables(connection, generations.generation_path(settings, last.generation))
    )
    linked = _linked_manifest(settings)
    generation = last.generation if last else ""
    is_new = bool(changed)
    if is_new:
        now = generations.after_all(settings, datetime.now(UTC))
        generation = generations.new_generation_name(now)
        target, beside = (
            generations.generation_path(settings, generation),
            generations.manifest_path(settings, generation),
        )
        _write_file(
            connection,
            settings,
            target,
            _manifest(connection, settings, generation, now, run_id, checks),
            checks,
            beside,
        )
    with generations.link_lock(settings):
        held = generations.hold(settings)
        if held is None and generations.linked_generation(settings) != generation:
            generations.move_link(settings, generation)
        generations.prune(settings)
    return {
        "generation": generation,
        "is_new": is_new,
        "changed": changed,
        "is_held": held is not None,
        "changed_source_from": linked.source if linked and linked.source != settings.source and held is None else None,
    }


def write_known_at(
    connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str, checks: Sequence[CheckResult]
) -> dict[str, object]:
    """Write the marts of a point-in-time build to a file of their own, which takes the place of an earlier one of the same day. Nothing is published.

    Returns:
        ``path`` of the file.

    Raises:
        TitansError: the file could not be written or verified.
    """
    target = settings.known_at_path
    _write_file(
        connection,
        settings,
        target,
        _manifest(connection, settings, target.stem, datetime.now(UTC), run_id, checks),
        checks,
    )
    return {"path": str(target)}


def _manifest(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    generation: str,
    now: datetime,
    run_id: str,
    checks: Sequence[CheckResult],
) -> Manifest:
    return Manifest(
        generation=generation,
        source=settings.source,
        is_simulated=settings.is_simulated,
        published_at=now,
        as_of=str(last_complete_session(connection)),
        run_id=run_id,
        row_counts=_row_counts(connection, "warehouse", ("marts",)),
        checks_passed=sum(check.status == "passed" for check in checks),
        checks_warned=sum(check.status == "warning" for check in checks),
        accepted_loss=next(
            (settings.accept_loss for check in checks if check.name == "nothing_lost" and check.status == "warning"),
            None,
        ),
    )


def _linked_manifest(settings: Settings) -> Manifest | None:
    linked = generations.linked_generation(settings)
    return next((manifest for manifest in generations.manifests(settings) if manifest.generation == linked), None)


def _write_file(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    target: Path,
    manifest: Manifest,
    checks: Sequence[CheckResult],
    manifest_path: Path | None = None,
) -> None:
    """The marts as a whole, verified, read-only file that appears in one step; with ``manifest_path`` the manifest beside it."""
    try:
        with replacing(target, READ_ONLY) as temporary:
            _fill(connection, settings, temporary, manifest, checks)
            _verify(temporary, manifest)
            if manifest_path is not None:
                # The manifest first: alone it counts for nothing, and a file without one would never be pruned.
                write_whole(manifest_path, manifest.model_dump_json(indent=1))
    except (OSError, duckdb.Error) as error:
        if manifest_path is not None:
            with contextlib.suppress(OSError):  # the folder may be read-only
                manifest_path.unlink(missing_ok=True)
        first_line = str(error).splitlines()[0]
        raise TitansError(
            f"{target.name} could not be written to {target.parent} ({first_line}). What was published before is untouched. "
            "Free space or make the folder writable, then run again."
        ) from error


def _fill(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    temporary: Path,
    manifest: Manifest,
    checks: Sequence[CheckResult],
) -> None:
    literal = str(temporary).replace("'", "''")
    connection.execute(f"attach '{literal}' as generation (storage_version '{STORAGE_VERSION}')")
    try:
        for schema in SCHEMAS:
            connection.execute(f"create schema generation.{schema}")
        for schema, table, comment in _tables(connection):
            columns = connection.execute(
                "select column_name, comment from duckdb_columns() where database_name = 'warehouse' and schema_name = ? and table_name = ? "
                "order by column_index",
                [schema, table],
            ).fetchall()
            # Sorted by the leading columns, which are the key: readers that filter on them skip most of the file.
            connection.execute(
                f'create table generation.{schema}."{table}" as select * from warehouse.{schema}."{table}" order by all'
            )
            _comment(connection, schema, table, _label(settings) + comment, columns)
        _write_ops(connection, settings, manifest, checks)
        connection.execute("checkpoint generation")
    finally:
        connection.execute("detach generation")


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    rows = connection.execute(
        "select schema_name, table_name, coalesce(comment, '') from duckdb_tables() where database_name = 'warehouse' and schema_name in ('marts', 'ops') "
        "and not ends_with(table_name, '__dbt_tmp') order by all"
    ).fetchall()
    return [(str(schema), str(table), str(comment)) for schema, table, comment in rows]


def _comment(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    table: str,
    comment: str,
    columns: Sequence[tuple[str, str | None]],
) -> None:
    """Table and column comments, which CREATE TABLE AS does not carry over."""
    connection.execute(f'comment on table generation.{schema}."{table}" is {_text(comment)}')
    for name, description in columns:
        if description:
            connection.execute(f'comment on column generation.{schema}."{table}"."{name}" is {_text(description)}')


def _label(settings: Settings) -> str:
    """What stands at the head of every table's description, so that nobody takes the file for what it is not."""
    return (SIMULATED_PREFIX if settings.is_simulated else "") + (
        f"As known at the end of {settings.known_at} (UTC). " if settings.known_at else ""
    )


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _write_ops(
    connection: duckdb.DuckDBPyConnection, settings: Settings, manifest: Manifest, checks: Sequence[CheckResult]
) -> None:
    """``ops.publications`` out of the manifests and ``ops.validation_results`` out of the run records."""
    for table, (comment, columns) in _OPS_TABLES.items():
        definition = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
        connection.execute(f"create table generation.ops.{table} ({definition})")
        described = [(name, description) for name, (_, description) in columns.items()]
        _comment(connection, "ops", table, _label(settings) + comment, described)
    published = [*generations.manifests(settings), *([] if settings.known_at else [manifest])]
    if published:
        connection.executemany(
            "insert into generation.ops.publications values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                [
                    m.generation,
                    m.source,
                    m.is_simulated,
                    _naive(m.published_at),
                    m.as_of,
                    m.run_id,
                    m.checks_passed,
                    m.checks_warned,
                    m.accepted_loss,
                ]
                for m in published
            ],
        )
    earlier: list[RunRecord] = [] if settings.known_at else run_records(settings.store, "build_marts")[-_KEPT_BUILDS:]
    rows = [_check_row(record.run_id, _naive(record.ended_at), check) for record in earlier for check in record.checks]
    rows += [_check_row(manifest.run_id, None, check) for check in checks]
    if rows:
        connection.executemany(
            "insert into generation.ops.validation_results values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
        )


def _check_row(run_id: str, ended_at: datetime | None, check: CheckResult) -> list[object]:
    dumped = check.model_dump_json(include={"examples"})
    return [
        run_id, ended_at, check.gate, check.name, check.table, check.severity, check.status, check.failing_rows, check.why,
        dumped.removeprefix('{"examples":').removesuffix("}"),
    ]  # fmt: skip


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _row_counts(connection: duckdb.DuckDBPyConnection, database: str, schemas: Sequence[str]) -> dict[str, int]:
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = ? and list_contains(?, schema_name) order by all",
        [database, list(schemas)],
    ).fetchall()
    counts = {}
    for schema, table in tables:
        row = connection.execute(f'select count(*) from {database}.{schema}."{table}"').fetchone()
        counts[f"{schema}.{table}"] = int(row[0]) if row else 0
    return counts


def _verify(path: Path, manifest: Manifest) -> None:
    """Open the file as a reader would and count its rows.

    Raises:
        OSError: a write-ahead log is left, or the counts differ from the warehouse's.
    """
    if Path(f"{path}.wal").exists():
        raise OSError(f"{path.name} was not fully written: a write-ahead log is left")
    with duckdb.connect() as reader:
        literal = str(path).replace("'", "''")
        reader.execute(f"attach '{literal}' as generation (read_only)")
        found = _row_counts(reader, "generation", ("marts",))
    if found != manifest.row_counts:
        different = sorted(name for name in manifest.row_counts if found.get(name) != manifest.row_counts[name])
        raise OSError(f"{path.name} does not hold the rows of {', '.join(different)}")
