"""What the DAG files share: the trigger form, the as-of date of a run, and the three tasks of every ingest DAG."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, Context, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.errors import NetworkUnavailableError, TitansError, is_refused, refusal
from include.runs.facts import PlanFacts, PlannedBatch
from include.runs.incidents import report, report_unrecorded
from include.runs.records import Run, RunRecord, last_step_of
from include.seeds.read import load_reference
from include.settings import Settings, load_settings

# Every parse of a DAG file starts a process: what brings pandas or pyarrow along is imported by the tasks.
if TYPE_CHECKING:
    from include.ingest.plan import TriggerParams

WRITER_POOL = "duckdb_writer"
Plan = Callable[[Settings, date, "TriggerParams"], list[PlannedBatch]]

PRICES_ASSET_PREFIX = "titans://landing/prices/"
FX_ASSET = Asset(name="fx_rates", uri="titans://landing/fx_rates")
ESTIMATES_ASSET = Asset(name="estimates", uri="titans://landing/estimates")


def prices_asset(market: str) -> Asset:
    return Asset(name=f"prices_{market}", uri=f"{PRICES_ASSET_PREFIX}{market}")


def as_of_param() -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date",
        title="As of",
        description="Day that the run is about; empty: the run's own.",
    )


def ingest_params() -> dict[str, Param]:
    """The trigger form of an ingest DAG. One run with start and end is a backfill."""
    day: dict[str, Any] = {"type": ["null", "string"], "format": "date"}
    return {
        "as_of": as_of_param(),
        "start": Param(
            None,
            **day,
            title="Start",
            description="First day to fetch; empty: from the last stored session minus 10, or everything.",
        ),
        "end": Param(None, **day, title="End", description="Last day to fetch; empty: the as-of date."),
        "symbols": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Symbols",
            description="One a line; empty: all of the seeds.",
        ),
    }


def run_as_of(zone: str = "UTC") -> date:
    """The as-of date of the current run, of whatever kind."""
    from include.ingest.as_of import RunFacts, resolve_as_of

    context = get_current_context()
    events = [
        event for asset_events in (context.get("triggering_asset_events") or {}).values() for event in asset_events
    ]
    return resolve_as_of(
        RunFacts(
            run_after=context["dag_run"].run_after,
            requested=context["params"].get("as_of"),
            logical_date=context.get("logical_date"),
            data_interval_end=context.get("data_interval_end"),
            event_as_ofs=[event.extra["as_of"] for event in events if "as_of" in event.extra],
        ),
        zone,
    )


def known_at_param() -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date",
        title="Known at",
        description="A point-in-time build: only what could be known by the end of this day (UTC), into a file of its own; empty: a normal build.",
    )


def build_settings() -> Settings:
    """The settings of a run of build_marts. Its form alone makes it a point-in-time build: a variable of the environment would make every one."""
    return load_settings(known_at=get_current_context()["params"].get("known_at"))


def current_run(settings: Settings) -> Run:
    dag_run = get_current_context()["dag_run"]
    return Run(settings.store, dag_run.dag_id, dag_run.run_id)


def finish_run(settings: Settings, zone: str = "UTC") -> RunRecord:
    """Write the record of the current run, also of one whose as-of date was refused, and the incident of a failed one."""
    try:
        as_of = run_as_of(zone).isoformat()
    except TitansError:
        as_of = None
    run = current_run(settings)
    record = run.finish(as_of, last_step_of(run.dag_id))
    report(settings, record)
    return record


def report_failure(context: Context) -> None:
    """What Airflow calls when it finds a run failed. As a rule the run's last task has reported already; a killed one could not."""
    report_unrecorded(load_settings(), context["dag"].dag_id, context["run_id"])


def ingest_tasks(dag: DAG, asset: Asset, plan: Plan, zone: str, only_on_sessions_of: str | None = None) -> None:
    """Plan the batches, fetch each in a mapped task of its own, and tell the asset what landed.

    Args:
        zone: time zone in which a run's moment is read as a date.
        only_on_sessions_of: market without whose session a scheduled or backfill run has nothing to do.
    """

    @task(dag=dag)
    def plan_batches() -> list[dict[str, Any]]:
        from include.ingest.plan import TriggerParams, is_session

        settings, context = load_settings(), get_current_context()
        with current_run(settings).step("plan") as step:
            if unknown := sorted(set(context["dag_run"].conf or {}) - set(ingest_params())):
                raise TitansError(
                    f"The trigger names {unknown[0]}, which is no parameter: use {', '.join(ingest_params())}."
                )
            as_of = run_as_of(zone)
            reference = load_reference(settings.seeds_dir)
            is_of_timetable = context["dag_run"].run_type in ("scheduled", "backfill")
            if only_on_sessions_of and is_of_timetable and not is_session(reference, only_on_sessions_of, as_of):
                step.outcome, step.message = "skipped", f"{as_of} is no session of {only_on_sessions_of}"
                batches: list[PlannedBatch] = []
            else:
                batches = plan(settings, as_of, TriggerParams.from_params(context["params"]))
            step.facts = PlanFacts(batches=batches)
        return [batch.model_dump(mode="json") for batch in batches]

    @task(
        dag=dag,
        retries=2,
        retry_delay=timedelta(seconds=20),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=10),
        map_index_template="{{ batch_name }}",
    )
    def fetch_batch(batch: dict[str, Any]) -> dict[str, Any]:
        from include.ingest.fetch import PartialFailureError
        from include.ingest.fetch import fetch_batch as fetch

        settings, context = load_settings(), get_current_context()
        request = PlannedBatch.model_validate(batch)
        context["batch_name"] = request.name
        instance = context["ti"]
        is_last = instance.try_number > instance.max_tries
        try:
            facts = fetch(settings, request, current_run(settings), instance.try_number, is_last)
            return facts.model_dump(mode="json")
        except NetworkUnavailableError as error:
            raise AirflowFailException(str(error)) from error
        except OSError as error:
            if is_refused(error):  # more attempts would only keep the user waiting
                raise AirflowFailException(refusal(error)) from error
            raise
        except PartialFailureError as error:
            if error.is_retryable:
                raise
            raise AirflowFailException(str(error)) from error

    @task(dag=dag, trigger_rule="all_done", outlets=[asset])
    def land() -> dict[str, Any]:
        from include.ingest.summary import summarise

        settings, context = load_settings(), get_current_context()
        try:
            as_of = run_as_of(zone)
            facts = summarise(settings.store, current_run(settings), as_of)
        finally:
            finish_run(settings, zone)
        if not facts.symbols:
            raise AirflowSkipException(f"Nothing to land up to {as_of}.")
        context["outlet_events"][asset].extra = {"as_of": str(facts.as_of)}
        return facts.model_dump(mode="json")

    fetch_batch.expand(batch=plan_batches()) >> land()
