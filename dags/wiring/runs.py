"""The run that a task belongs to: its settings, its as-of date, its record; and the assets that runs tell of."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from airflow.sdk import Asset, Context, get_current_context

from include.errors import TitansError
from include.runs.incidents import report, report_unrecorded
from include.runs.pins import settings_of_ended_run, settings_of_run
from include.runs.records import Run, RunRecord, last_step_of
from include.settings import Settings

# Every parse of a DAG file starts a process: what brings pandas or pyarrow along is imported by the tasks.
if TYPE_CHECKING:
    from include.ingest.as_of import RunFacts

PRICES_ASSET_PREFIX = "titans://landing/prices/"
FX_ASSET = Asset(name="fx_rates", uri="titans://landing/fx_rates")
ESTIMATES_ASSET = Asset(name="estimates", uri="titans://landing/estimates")


def prices_asset(market: str) -> Asset:
    return Asset(name=f"prices_{market}", uri=f"{PRICES_ASSET_PREFIX}{market}")


def run_facts() -> RunFacts:
    """What Airflow knows of the current run."""
    from include.ingest.as_of import RunFacts

    context = get_current_context()
    events = [
        event for asset_events in (context.get("triggering_asset_events") or {}).values() for event in asset_events
    ]
    return RunFacts(
        run_after=context["dag_run"].run_after,
        requested=context["params"].get("as_of"),
        logical_date=context.get("logical_date"),
        data_interval_end=context.get("data_interval_end"),
        event_as_ofs=[event.extra["as_of"] for event in events if "as_of" in event.extra],
        is_of_timetable=context["dag_run"].run_type in ("scheduled", "backfill"),
        given=sorted(context["dag_run"].conf or {}),
    )


def run_as_of(zone: str = "UTC") -> date:
    """The as-of date of the current run, of whatever kind."""
    from include.ingest.as_of import resolve_as_of

    return resolve_as_of(run_facts(), zone)


def run_settings() -> Settings:
    """The settings of the current run, with the source that its first task found.

    Its form alone makes a run of build_marts a point-in-time build: a variable of the environment would make every one.
    """
    context = get_current_context()
    overrides = {"known_at": context["params"]["known_at"]} if "known_at" in context["params"] else {}
    return settings_of_run(context["dag_run"].dag_id, context["dag_run"].run_id, **overrides)


def current_run(settings: Settings) -> Run:
    dag_run = get_current_context()["dag_run"]
    return Run(settings.store, dag_run.dag_id, dag_run.run_id)


def finish_run(settings: Settings, zone: str = "UTC") -> RunRecord:
    """Write the record of the current run, also if its as-of date was refused, and the incident of a failed one."""
    try:
        as_of = run_as_of(zone).isoformat()
    except TitansError:
        as_of = None
    run = current_run(settings)
    record = run.finish(as_of, last_step_of(run.dag_id))
    report(settings, record)
    return record


def report_failure(context: Context) -> None:
    """Airflow calls this for a failed run. As a rule its last task has reported already; a killed one could not."""
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    report_unrecorded(settings_of_ended_run(dag_id, run_id), dag_id, run_id)
