"""The steps of a build, each a plain function of settings and run: load, check_raw, transform, check_marts, publish."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import duckdb

from include.commands import make_run
from include.dbt_facts import written_orders
from include.errors import Runbook, TitansError
from include.gates import marts_gate, raw_gate
from include.gates.checks import Check
from include.gates.result import CheckResult, refuse
from include.gates.runner import run_checks
from include.landing.index import LandingIndex
from include.paths import StorePaths
from include.publishing import generations
from include.publishing.changes import RESTATEMENT_TEXT, read_last
from include.publishing.marts_file import SCHEMAS, Build, GateResults
from include.publishing.publish import publish, write_known_at
from include.raw.load import load_landing, rejected_reasons, without_effect
from include.raw.lock import writer_lock
from include.raw.point_in_time import copy_store
from include.raw.store import open_warehouse, with_patience
from include.runs.facts import CheckMartsFacts, CheckRawFacts, LoadFacts, PublishFacts, Restated, TransformFacts
from include.runs.records import Run, run_records
from include.runs.releases import quarantines, releases
from include.seeds.read import load_reference
from include.settings import Settings
from include.shortage import shortage
from include.sources import open_source
from include.sources.base import currency_pairs
from include.transform import dbt_build

_KEPT_BUILDS = 20
"""Builds whose checks are published in ``ops.validation_results``."""


def load(settings: Settings, run: Run) -> LoadFacts:
    """Landing to raw; judges nothing yet. A point-in-time build copies the store's raw tables.

    Raises:
        TitansError: another build is writing, or there is nothing to build from.
    """
    store = settings.store
    with run.step("load") as step:
        if store.known_at:
            step.facts = facts = LoadFacts(rows_copied=copy_store(store, store.known_at, run.name))
            return facts
        reference = load_reference(settings.seeds_dir)
        with writer_lock(store.warehouse, run.name), open_warehouse(store) as connection:
            on_record = releases(store)
            batches = load_landing(connection, LandingIndex(store), reference, on_record, lambda: quarantines(store))
            rejected = rejected_reasons(connection, batches)
            idle = [f"{release.symbol} of {release.batch_id}" for release in without_effect(connection, on_record)]
            if connection.execute("select exists(from raw.prices)").fetchone() == (False,):
                raise TitansError(
                    f"There is no price to build from in {store.root}: run an ingest DAG first, or {make_run(settings)}.",
                    Runbook.SOURCE_EMPTY,
                )
        step.facts = facts = LoadFacts(
            batches=len(batches),
            rows_new=sum(batch.rows_new for batch in batches),
            rows_unchanged=sum(batch.rows_unchanged for batch in batches),
            rows_rejected=sum(batch.rows_rejected for batch in batches),
            rejected=rejected,
            releases_without_effect=idle,
        )
        return facts


def check_raw(settings: Settings, run: Run) -> CheckRawFacts:
    """Gate 1: judge the units that no verdict exists for, and quarantine those that fail a critical check.

    A point-in-time build goes by the verdicts that stand.

    Raises:
        TitansError: more than a fifth of the expected symbols, or an FX pair in use, is in quarantine, or a check
            could not run.
    """
    store = settings.store
    with run.step("check_raw") as step:
        if store.known_at:
            step.outcome, step.message = "skipped", "a point-in-time build goes by the verdicts that stand"
            return CheckRawFacts()
        reference = load_reference(settings.seeds_dir)
        with writer_lock(store.warehouse, run.name):
            with open_warehouse(store) as connection:
                pending = raw_gate.prepare(connection, reference, settings.dbt_project_dir)
            if pending:
                checks = raw_gate.checks(settings.dbt_project_dir)
                step.checks = _run_checks(store, "check_raw", checks)
            refuse([check for check in step.checks if check.status == "error"])
            with open_warehouse(store) as connection:
                quarantined = raw_gate.record_verdicts(connection, pending, step.checks)
        step.facts = facts = CheckRawFacts(units=len(pending), quarantined=quarantined)
        omitted = open_source(settings, reference).omitted
        symbols = [row.symbol for row in reference.securities if row.symbol not in omitted]
        raw_gate.stop_if_too_many(quarantined, symbols, [pair.name for pair in currency_pairs(reference)])
        return facts


def transform(settings: Settings, run: Run) -> TransformFacts:
    """Raw to marts with dbt, stamped with this run: no other run publishes them on the word of its own gate."""
    store = settings.store
    with run.step("transform") as step, writer_lock(store.warehouse, run.name):
        with open_warehouse(store) as connection:
            connection.execute("delete from meta.builds")
            # dbt leaves tables behind whose models are gone, and they would be published for good.
            for schema in SCHEMAS:
                connection.execute(f"drop schema if exists {schema} cascade")
        step.facts = facts = TransformFacts.model_validate(with_patience(store, lambda: dbt_build(settings)))
        with open_warehouse(store) as connection:
            connection.execute("insert into meta.builds values (?, now()::timestamp, null)", [run.name])
        return facts


def check_marts(settings: Settings, run: Run) -> CheckMartsFacts:
    """Gate 2: decide on the whole.

    Raises:
        TitansError: a critical expectation failed or could not run; names each with some of its rows.
    """
    store, published = settings.store, settings.published
    with run.step("check_marts") as step, writer_lock(store.warehouse, run.name):
        with open_warehouse(store) as connection:
            _refuse_another_build(connection, run.name)
            marts_gate.prepare(connection, None)
            if not store.known_at:
                generations.bring_over(published, run.name)
                read_last(published, store.source, partial(marts_gate.prepare, connection))
        checks = marts_gate.checks(settings.dbt_project_dir)
        step.checks = _run_checks(store, "check_marts", checks)
        marts_gate.decide(step.checks, settings.accept_loss)
        with open_warehouse(store) as connection:
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
    store = settings.store
    with run.step("publish") as step, writer_lock(store.warehouse, run.name):
        results = GateResults(run.run_id, None, [check for recorded in run.steps() for check in recorded.checks])
        orders = written_orders(settings.dbt_project_dir)
        with open_warehouse(store) as connection:
            _refuse_another_build(connection, run.name, is_passed=True)
            restated = _restated(connection)
            if store.known_at:
                path = write_known_at(Build(connection, store, orders, results), settings.published)
                step.facts = facts = PublishFacts(path=str(path), restated=restated)
            else:
                build = Build(connection, store, orders, results, _earlier_results(store), settings.accept_loss)
                folder = settings.files_dir if settings.source == "files" else None
                publication = publish(build, settings.published, settings.keep_generations, folder, settings.switch)
                values = asdict(publication)
                restated = restated.model_copy(update={"headlines": values.pop("headlines")})
                step.facts = facts = PublishFacts(**values, restated=restated)
        if store.known_at:
            shutil.rmtree(store.warehouse.parent)
        return facts


def _run_checks(store: StorePaths, gate: str, checks: Sequence[Check]) -> list[CheckResult]:
    """The results of a gate on the warehouse.

    Raises:
        TitansError: a check ran out of memory or disk, which says nothing of the data.
    """
    results = with_patience(store, lambda: run_checks(gate, store.warehouse, checks, store.duckdb_config))
    for result in results:
        if result.status == "error" and (short := shortage(result.message, f"Check {result.name}", store)):
            raise short
    return results


def _earlier_results(store: StorePaths) -> list[GateResults]:
    """What the gates of the last builds said, oldest first."""
    records = run_records(store, "build_marts")[-_KEPT_BUILDS:]
    return [GateResults(record.run_id, record.ended_at, record.checks) for record in records]


def _restated(connection: duckdb.DuckDBPyConnection) -> Restated:
    """Which values vendors changed later; without the headlines that changed with them."""
    rows = connection.execute(
        f"""select {RESTATEMENT_TEXT}, count(*) over ()
        from ops.restatements
        where kind in ('restated', 'withdrawn')
        order by basket_effect desc nulls last, abs(change_ratio) desc nulls first, date desc, symbol limit 3"""
    ).fetchall()
    return Restated(rows=rows[0][1] if rows else 0, largest=[text for text, _ in rows])


def _refuse_another_build(connection: duckdb.DuckDBPyConnection, own: str, is_passed: bool = False) -> None:
    rows = connection.execute("select build_id, passed_at from meta.builds").fetchall()
    if [row[0] for row in rows] != [own] or (is_passed and rows[0][1] is None):
        raise TitansError(
            "Another build has replaced the marts since this one made them: nothing was published by this run. "
            "Run again.",
            Runbook.WAREHOUSE_LOCKED,
        )
