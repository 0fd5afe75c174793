"""The real stages of a run, one at a time: ``python -m titans.bench.stages STAGE RUN REPORT`` is a process of its own.

The settings come from the environment, as a task's do; what the stage came to is written to the file ``REPORT``.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import duckdb

from include import build
from include.errors import TitansError, refusal
from include.ingest.as_of import RunFacts
from include.ingest.fetch import fetch_batch
from include.ingest.plan import Plan, TriggerParams, plan_estimates, plan_fx, plan_prices, plan_run
from include.ingest.summary import summarise
from include.raw.store import open_warehouse
from include.runs.facts import PlannedBatch
from include.runs.pins import pin_run
from include.runs.records import Run
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from include.transform import parsed_project
from titans.bench import ratios, readers

Facts = dict[str, object]


def main(stage: str, run_id: str, report: Path) -> int:
    """Run one stage and write ``report``: ``rows``, ``note``, or ``failed`` with a sentence."""
    facts: Facts = {}
    try:
        facts = STAGES[stage](load_settings(), run_id)
    except OSError as error:
        facts = {"failed": refusal(error)}
    except MemoryError:
        facts = {"failed": "ran out of memory"}
    except (TitansError, duckdb.Error) as error:
        # The log goes with the folder of the bench.
        facts = {"failed": re.sub(r" The log is \S+", "", str(error).splitlines()[0])}
    report.write_text(json.dumps(facts), encoding="utf-8")
    return 1 if "failed" in facts else 0


def _ingest(settings: Settings, run_id: str) -> Facts:
    """Every ingest DAG, one after the other. In Airflow each batch is a task of its own, two at a time."""
    assert settings.exported_at is not None, "each delivery of the world has its time"
    reference, rows = load_reference(settings.seeds_dir), 0
    plans: dict[str, tuple[Plan, str]] = {}
    for exchange in reference.exchanges:
        plan: Plan = partial(_plan_prices, market=exchange.market)
        plans[f"ingest_prices_{exchange.market}"] = (plan, exchange.timezone)
    plans |= {"ingest_fx": (plan_fx, "UTC"), "ingest_estimates": (plan_estimates, "UTC")}
    as_of = settings.exported_at.date()
    facts = RunFacts(run_after=datetime.now(UTC), requested=as_of)
    for dag_id, (plan, zone) in plans.items():
        run = Run(settings.store, dag_id, run_id)
        pin_run(settings, run)
        try:
            for batch in plan_run(settings, run, plan, facts, {}, zone):
                fetch_batch(settings, batch, run, attempt=1, is_last_attempt=True)
            rows += summarise(settings.store, run, as_of).rows
        finally:
            run.finish(as_of.isoformat())
    return {"rows": rows}


def _plan_prices(settings: Settings, as_of: date, params: TriggerParams, market: str) -> list[PlannedBatch]:
    return plan_prices(settings, market, as_of, params)


def _load(settings: Settings, run_id: str) -> Facts:
    run = Run(settings.store, "build_marts", run_id)
    pin_run(settings, run)
    facts = build.load(settings, run)
    if facts.rows_rejected:
        return {"failed": f"rejected {facts.rows_rejected} rows, such as {facts.rejected[0]}"}
    return {"note": f"{facts.rows_new:,} rows new, {facts.rows_unchanged:,} unchanged"}


def _check_raw(settings: Settings, run_id: str) -> Facts:
    facts = build.check_raw(settings, Run(settings.store, "build_marts", run_id))
    if facts.quarantined:
        unit = facts.quarantined[0]
        return {"failed": f"{len(facts.quarantined)} units in quarantine, such as {unit.symbol}"}
    return {"note": f"{facts.units:,} units"}


def _parse(settings: Settings, run_id: str) -> Facts:
    """What every build of a new store or an edited project does once."""
    return {"note": f"{len(parsed_project(settings).nodes)} dbt nodes"}


def _transform(settings: Settings, run_id: str) -> Facts:
    facts = build.transform(settings, Run(settings.store, "build_marts", run_id))
    with open_warehouse(settings.store) as connection:
        (rows,) = connection.execute(
            """select sum(estimated_size)::bigint from duckdb_tables()
            where database_name = 'warehouse' and schema_name = 'marts'"""
        ).fetchone() or (0,)
    return {"note": f"{sum(facts.nodes.values())} dbt nodes, {rows:,} mart rows"}


def _check_marts(settings: Settings, run_id: str) -> Facts:
    facts = build.check_marts(settings, Run(settings.store, "build_marts", run_id))
    return {"note": f"{facts.passed} checks passed, {facts.warned} warned"}


def _publish(settings: Settings, run_id: str) -> Facts:
    facts = build.publish_marts(settings, Run(settings.store, "build_marts", run_id))
    return {"note": "a new generation" if facts.is_new else "nothing new"}


def _report(settings: Settings, run_id: str) -> Facts:
    """What the pages cost that publishing makes along with the file."""
    from include.publishing.report.pages import write_report  # its chart library would count for every other stage

    file, folder = settings.published.link.resolve(), settings.store.root / "report"
    folder.mkdir()
    with duckdb.connect(str(file), read_only=True, config=settings.limits.config(None)) as connection:
        write_report(connection, folder)
    shutil.rmtree(folder)
    return {}


def _copy(settings: Settings, run_id: str) -> Facts:
    """What publishing would cost if it were nothing but one copy of the same sorted tables: the measure for it."""
    target = settings.store.root / "copy.duckdb"
    with duckdb.connect(config=settings.store.duckdb_config) as connection:
        source, copy = (str(path).replace("'", "''") for path in (settings.published.link.resolve(), target))
        connection.execute(f"attach '{source}' as published (read_only); attach '{copy}' as copy")
        connection.execute("copy from database published to copy; checkpoint copy")
    target.unlink()
    return {}


def _readers(settings: Settings, run_id: str) -> Facts:
    """Dashboards on what was published."""
    queries = readers.read_queries(readers.PAGE.read_text(encoding="utf-8"))
    timed = readers.time_queries(settings.published.link.resolve(), queries)
    in_time = sum(query["p95"] <= query["budget"] for query in timed)
    return {"queries": timed, "note": f"{in_time} of {len(timed)} queries within their budgets"}


def _models(settings: Settings, run_id: str) -> Facts:
    return {"marts": ratios.run_models(settings)}


def _by_hand(settings: Settings, run_id: str) -> Facts:
    return ratios.run_by_hand(settings)


STAGES: dict[str, Callable[[Settings, str], Facts]] = {
    "ingest": _ingest,
    "load": _load,
    "check_raw": _check_raw,
    "parse": _parse,
    "transform": _transform,
    "check_marts": _check_marts,
    "publish": _publish,
    "report": _report,
    "copy": _copy,
    "readers": _readers,
    "models": _models,
    "by_hand": _by_hand,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
