"""The steps of a build, each a plain function of settings and run: load, check_raw, transform, check_marts, publish."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from datetime import UTC, date, datetime

import duckdb

from include.errors import Runbook, TitansError
from include.gates import mart_checks, raw_checks
from include.gates.result import CheckResult
from include.gates.runner import run_checks
from include.landing.index import LandingIndex
from include.landing.retention import kept_from
from include.paths import StorePaths
from include.publishing import generations
from include.publishing.marts_file import SCHEMAS, Build, GateResults
from include.publishing.publish import publish, write_known_at
from include.raw.load import LoadedBatch, load_landing, register_securities
from include.raw.lock import writer_lock
from include.raw.store import copy_raw, open_warehouse
from include.raw.units import QuarantinedUnit
from include.runs.facts import (
    CheckMartsFacts,
    CheckRawFacts,
    LoadFacts,
    PublishFacts,
    Restated,
    TransformFacts,
)
from include.runs.records import Run, run_records
from include.runs.releases import releases
from include.seeds.read import load_reference
from include.seeds.rows import Reference
from include.settings import Settings, end_of_day
from include.sources import open_source
from include.sources.base import currency_pairs
from include.transform import dbt_build

MAX_QUARANTINED_SHARE = 0.2
"""More than this share of the expected symbols in quarantine stops the run: the vendor as a whole cannot be trusted."""
_KEPT_BUILDS = 20
"""Builds whose checks are published in ``ops.validation_results``."""
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
                register_securities(connection, reference)
                raw_checks.prepare(connection, reference)
                pending = connection.execute("select batch_id, dataset, symbol from quality.pending_units").fetchall()
            step.checks = run_checks("check_raw", settings.warehouse_path, raw_checks.CHECKS) if pending else []
            _refuse_errors(step.checks)
            failed = _failed_units(step.checks)
            with open_warehouse(settings) as connection:
                _record_verdicts(connection, pending, failed)
                quarantined = connection.execute(
                    "select batch_id, dataset, symbol, reasons from raw.unhealed_units"
                ).fetchall()
        step.facts = facts = CheckRawFacts(
            units=len(pending),
            quarantined=[
                QuarantinedUnit(batch_id=batch, dataset=dataset, symbol=symbol, reasons=reasons)
                for batch, dataset, symbol, reasons in quarantined
            ],
        )
        _stop_if_too_many(settings, reference, facts.quarantined)
        return facts


def _record_verdicts(
    connection: duckdb.DuckDBPyConnection, pending: list[tuple[str, str, str]], failed: dict[tuple[str, str], list[str]]
) -> None:
    """All verdicts of a gate in one transaction: half of them would let the next build go on where this one stops."""
    if not pending:
        return
    now = datetime.now(UTC).replace(tzinfo=None)
    connection.execute("begin")
    connection.executemany(
        "insert into raw.unit_verdicts values (?, ?, ?, ?, ?, ?)",
        [
            [
                batch,
                dataset,
                symbol,
                "quarantined" if (batch, symbol) in failed else "accepted",
                failed.get((batch, symbol), []),
                now,
            ]
            for batch, dataset, symbol in pending
        ],
    )
    connection.execute("commit")


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
        last = None if settings.known_at else generations.last_of_source(settings.published, settings.source)
        with open_warehouse(settings) as connection:
            _own_build(connection, run)
            mart_checks.prepare(connection, settings.published.file(last.generation) if last else None)
        step.checks = run_checks("check_marts", settings.warehouse_path, mart_checks.CHECKS)
        failed = [check for check in step.checks if check.status in ("failed", "error")]
        accepted = [
            check
            for check in failed
            if check.name == "nothing_lost" and check.status == "failed" and settings.accept_loss
        ]
        for check in accepted:
            check.status = "warning"
            check.message = f"accepted: {settings.accept_loss}"
        _refuse([check for check in failed if check not in accepted])
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
        results = GateResults(run.run_id, None, [check for recorded in run.steps() for check in recorded.checks])
        with open_warehouse(settings) as connection:
            _own_build(connection, run, is_passed=True)
            restated = _restated(connection)
            if settings.known_at:
                path = write_known_at(Build(connection, settings.store, results), settings.published)
                step.facts = facts = PublishFacts(path=str(path), restated=restated)
            else:
                build = Build(
                    connection, settings.store, results, _earlier_results(settings.store), settings.accept_loss
                )
                publication = publish(build, settings.published, settings.keep_generations)
                step.facts = facts = PublishFacts(**asdict(publication), restated=restated)
        if settings.known_at:
            shutil.rmtree(settings.store.warehouse.parent)
        return facts


def _earlier_results(store: StorePaths) -> list[GateResults]:
    """What the gates of the last builds said, oldest first."""
    records = run_records(store, "build_marts")[-_KEPT_BUILDS:]
    return [GateResults(record.run_id, record.ended_at, record.checks) for record in records]


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


def _failed_units(checks: list[CheckResult]) -> dict[tuple[str, str], list[str]]:
    """Reasons by unit, of the critical checks that failed."""
    failed: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        if check.status == "failed":
            if check.failing_rows > len(check.examples):
                raise TitansError(
                    f"{check.failing_rows} units fail {check.name}, more than can be told apart: nothing was built. {check.why}"
                )
            for row in check.examples:
                failed.setdefault((row["batch_id"], row["symbol"]), []).append(f"{check.name}: {row['detail']}")
    return failed


def _stop_if_too_many(settings: Settings, reference: Reference, quarantined: list[QuarantinedUnit]) -> None:
    """Stop while the quarantine, of this gate or an earlier one, holds too much of what is expected."""
    omitted = open_source(settings, reference).omitted
    expected = [row.symbol for row in reference.securities if row.symbol not in omitted]
    pairs = {pair.name for pair in currency_pairs(reference)}
    lost_prices = sorted({unit.symbol for unit in quarantined if unit.dataset == "prices"} & set(expected))
    lost_pairs = sorted({unit.symbol for unit in quarantined if unit.dataset == "fx_rates"} & pairs)

    def reasons_of(symbols: list[str]) -> str:
        reasons = {unit.symbol: unit.reasons for unit in reversed(quarantined)}
        return "; ".join(f"{symbol}: {reasons[symbol][0]}" for symbol in symbols[:5])

    if lost_pairs:
        raise TitansError(
            f"FX pair {', '.join(lost_pairs)} is quarantined ({reasons_of(lost_pairs)}), and every price in that currency needs it. "
            "Nothing was published. Repair the rate at the source, or let it in with make release.",
            Runbook.FX_PAIR_QUARANTINED,
        )
    if len(lost_prices) > MAX_QUARANTINED_SHARE * len(expected):
        raise TitansError(
            f"{len(lost_prices)} of {len(expected)} symbols are quarantined ({reasons_of(lost_prices)}), more than {MAX_QUARANTINED_SHARE:.0%}. "
            "Nothing was published. make status lists them; make release lets one in.",
            Runbook.TOO_MANY_QUARANTINED,
        )


def _refuse_errors(checks: list[CheckResult]) -> None:
    _refuse([check for check in checks if check.status == "error"])


def _refuse(checks: list[CheckResult]) -> None:
    if not checks:
        return
    shown = "; ".join(f"{check.name} ({check.message or _rows_of(check)})" for check in checks[:5])
    raise TitansError(
        f"{len(checks)} critical {'check' if len(checks) == 1 else 'checks'} failed: {shown}. What was published before is untouched. make status shows the rows.",
        Runbook.ROWS_LOST
        if any(check.name == "nothing_lost" and check.status == "failed" for check in checks)
        else Runbook.GATE_2_FAILED,
    )


def _rows_of(check: CheckResult) -> str:
    first = ", ".join(f"{key}={value}" for key, value in check.examples[0].items()) if check.examples else ""
    return f"{check.rows_text}, first {first}" if first else check.rows_text


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0
