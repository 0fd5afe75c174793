"""The steps of a build, each a plain function of settings and run: load, check_raw, transform, check_marts, publish."""

from __future__ import annotations

import shutil
from datetime import date

import duckdb

from include.errors import Runbook, TitansError
from include.gates import marts_gate, raw_gate
from include.gates.result import refuse
from include.gates.runner import run_checks
from include.landing.index import LandingIndex
from include.landing.retention import kept_from
from include.publishing import generations
from include.publishing.publish import SCHEMAS, publish, write_known_at
from include.raw.load import LoadedBatch, load_landing
from include.raw.lock import writer_lock
from include.raw.store import copy_raw, open_warehouse
from include.runs.facts import (
    CheckMartsFacts,
    CheckRawFacts,
    LoadFacts,
    PublishFacts,
    Restated,
    TransformFacts,
)
from include.runs.records import Run
from include.runs.releases import releases
from include.seeds.read import load_reference
from include.settings import Settings, end_of_day
from include.sources import open_source
from include.sources.base import currency_pairs
from include.transform import dbt_build

_PATIENCE_SECONDS = 600.0
"""A build that has begun waits for another's step to end; one that begins does not: its user should know."""


def load(settings: Settings, run: Run) -> LoadFacts:
    """Landing to raw; judges nothing yet.

    Raises:
        TitansError: another build is writing, or there is nothing to build from.
    """
    with run.step("load") as step:
        if settings.known_at:
            step.facts = facts = _load_known(settings, settings.known_at, run)
            return facts
        reference = load_reference(settings.seeds_dir)
        with writer_lock(settings.warehouse_path, run.name), open_warehouse(settings) as connection:
            batches = load_landing(connection, LandingIndex(settings.store), reference, releases(settings.store))
            rejected = _rejected_now(connection, batches)
            if _number(connection, "select count(*) from raw.prices") == 0:
                raise TitansError(
                    f"There is no price to build from in {settings.store_dir}: run an ingest DAG first, or make run.",
                    Runbook.SOURCE_EMPTY,
                )
        step.facts = facts = LoadFacts(
            batches=len(batches),
            rows_new=sum(batch.rows_new for batch in batches),
            rows_unchanged=sum(batch.rows_unchanged for batch in batches),
            rows_rejected=sum(batch.rows_rejected for batch in batches),
            rejected=rejected,
        )
        return facts


def _load_known(settings: Settings, known_at: date, run: Run) -> LoadFacts:
    """A warehouse of its own for a point-in-time build, with the raw rows of the store, which is only read: dbt leaves out what was not known yet.

    Raises:
        TitansError: nothing has been ingested, nothing was known by then, or what was known then was let go.
    """
    store = settings.model_copy(update={"known_at": None})
    begins = kept_from(store.store)
    if begins and end_of_day(known_at) < begins:
        raise TitansError(
            f"KNOWN_AT={known_at} is before the history that is kept: make tidy has let go what was superseded before {begins:%Y-%m-%d %H:%M} UTC. "
            f"Give {begins.date()} or a later day."
        )
    if not store.warehouse_path.exists():
        raise TitansError(
            f"There is nothing to look back on: source {settings.source} has no warehouse in {settings.store_dir}. "
            f"Build it first, without KNOWN_AT: make run SOURCE={settings.source}."
        )
    shutil.rmtree(settings.warehouse_path.parent, ignore_errors=True)
    with writer_lock(store.warehouse_path, run.name), open_warehouse(settings) as connection:
        copy_raw(connection, store.warehouse_path, settings)
        (first,) = connection.execute("select min(known_from)::date from raw.prices").fetchone() or (None,)
        rows = _number(connection, "select count(*) from raw.prices")
    if first is None or known_at < first:
        shutil.rmtree(settings.warehouse_path.parent)
        raise TitansError(
            f"KNOWN_AT={known_at} is before the data: source {settings.source} knows no price from before {first}. Give that day or a later one."
            if first
            else f"There is no price to build from in {settings.store_dir}: run without KNOWN_AT first."
        )
    return LoadFacts(rows_copied=rows)


def check_raw(settings: Settings, run: Run) -> CheckRawFacts:
    """Gate 1: judge the units that no verdict exists for, and quarantine those that fail a critical check.

    A point-in-time build goes by the verdicts that stand.

    Raises:
        TitansError: more than a fifth of the expected symbols, or an FX pair in use, is in quarantine, or a check could not run.
    """
    with run.step("check_raw") as step:
        if settings.known_at:
            step.outcome, step.message = "skipped", "a point-in-time build goes by the verdicts that stand"
            return CheckRawFacts()
        reference = load_reference(settings.seeds_dir)
        with writer_lock(settings.warehouse_path, run.name, _PATIENCE_SECONDS):
            with open_warehouse(settings) as connection:
                pending = raw_gate.prepare(connection, reference, settings.dbt_project_dir)
            if pending:
                checks = raw_gate.checks(settings.dbt_project_dir)
                step.checks = run_checks("check_raw", settings.warehouse_path, checks)
            refuse([check for check in step.checks if check.status == "error"])
            with open_warehouse(settings) as connection:
                quarantined = raw_gate.record_verdicts(connection, pending, step.checks)
        step.facts = facts = CheckRawFacts(units=len(pending), quarantined=quarantined)
        omitted = open_source(settings, reference).omitted
        symbols = [row.symbol for row in reference.securities if row.symbol not in omitted]
        raw_gate.stop_if_too_many(quarantined, symbols, [pair.name for pair in currency_pairs(reference)])
        return facts


def transform(settings: Settings, run: Run) -> TransformFacts:
    """Raw to marts with dbt, stamped with this run, so that nobody publishes another run's marts on this one's gate."""
    with run.step("transform") as step, writer_lock(settings.warehouse_path, run.name, _PATIENCE_SECONDS):
        with open_warehouse(settings) as connection:
            connection.execute("delete from meta.builds")
            # dbt leaves tables behind whose models are gone, and they would be published for good.
            for schema in SCHEMAS:
                connection.execute(f"drop schema if exists {schema} cascade")
        step.facts = facts = TransformFacts.model_validate(dbt_build(settings))
        with open_warehouse(settings) as connection:
            connection.execute("insert into meta.builds values (?, now()::timestamp, null)", [run.name])
        return facts


def check_marts(settings: Settings, run: Run) -> CheckMartsFacts:
    """Gate 2: decide on the whole.

    Raises:
        TitansError: a critical expectation failed or could not run; names each with some of its rows.
    """
    with run.step("check_marts") as step, writer_lock(settings.warehouse_path, run.name, _PATIENCE_SECONDS):
        last = None if settings.known_at else generations.last_of_source(settings)
        with open_warehouse(settings) as connection:
            _own_build(connection, run)
            marts_gate.prepare(connection, generations.generation_path(settings, last.generation) if last else None)
        checks = marts_gate.checks(settings.dbt_project_dir)
        step.checks = run_checks("check_marts", settings.warehouse_path, checks)
        marts_gate.decide(step.checks, settings.accept_loss)
        with open_warehouse(settings) as connection:
            connection.execute("update meta.builds set passed_at = now()::timestamp where build_id = ?", [run.name])
        step.facts = facts = CheckMartsFacts(
            passed=sum(check.status == "passed" for check in step.checks),
            warned=sum(check.status == "warning" for check in step.checks),
        )
        return facts


def publish_marts(settings: Settings, run: Run) -> PublishFacts:
    """Publish what gate 2 of this run passed; of a point-in-time build, write its file.

    Raises:
        TitansError: another build has replaced the marts since, or the file could not be written.
    """
    with run.step("publish") as step, writer_lock(settings.warehouse_path, run.name, _PATIENCE_SECONDS):
        checks = [check for recorded in run.steps() for check in recorded.checks]
        with open_warehouse(settings) as connection:
            _own_build(connection, run, is_passed=True)
            published = (write_known_at if settings.known_at else publish)(connection, settings, run.run_id, checks)
            step.facts = facts = PublishFacts.model_validate({**published, "restated": _restated(connection)})
        if settings.known_at:
            shutil.rmtree(settings.warehouse_path.parent)
        return facts


def _restated(connection: duckdb.DuckDBPyConnection) -> Restated:
    """How many values vendors have changed after the first word, and the newest of them in words."""
    rows = connection.execute(
        """select concat_ws(' ', symbol, field, 'of', date, 'from', coalesce(value_before::varchar, 'none'), 'to', coalesce(value_after::varchar, 'none'))
        from ops.restatements
        where kind = 'restated' order by known_at desc, date desc, symbol limit 3"""
    ).fetchall()
    return Restated(
        rows=_number(connection, "select count(*) from ops.restatements where kind = 'restated'"),
        newest=[row[0] for row in rows],
    )


def _own_build(connection: duckdb.DuckDBPyConnection, run: Run, is_passed: bool = False) -> None:
    rows = connection.execute("select build_id, passed_at from meta.builds").fetchall()
    if [row[0] for row in rows] != [run.name] or (is_passed and rows[0][1] is None):
        raise TitansError(
            "Another build has replaced the marts since this one made them: nothing was published by this run. Run again.",
            Runbook.WAREHOUSE_LOCKED,
        )


def _rejected_now(connection: duckdb.DuckDBPyConnection, batches: list[LoadedBatch]) -> list[str]:
    """Why rows of these batches were rejected, in words, the most frequent reason first."""
    rows = connection.execute(
        """select array_to_string(reasons, ', ') as reason, count(*) as rows, max(symbol) as symbol, max(date) as day
        from raw.rejected_rows where list_contains(?, batch_id) group by reason order by rows desc, reason limit 5""",
        [[batch.batch_id for batch in batches]],
    ).fetchall()
    return [
        f"{reason}: {number} ({symbol} {day}{', ...' if number > 1 else ''})" for reason, number, symbol, day in rows
    ]


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0
