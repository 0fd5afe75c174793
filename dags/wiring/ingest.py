"""The three tasks of every ingest DAG."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.errors import NetworkUnavailableError, is_refused, refusal
from include.runs.facts import PlannedBatch
from include.settings import Settings
from wiring.forms import ingest_params
from wiring.runs import current_run, finish_run, run_as_of, run_facts, run_settings

if TYPE_CHECKING:
    from include.ingest.plan import TriggerParams

Plan = Callable[[Settings, date, "TriggerParams"], list[PlannedBatch]]


def ingest_tasks(dag: DAG, asset: Asset, plan: Plan, zone: str, only_on_sessions_of: str | None = None) -> None:
    """Plan the batches, fetch each in a mapped task of its own, and tell the asset what landed.

    Args:
        zone: time zone in which a run's time is read as a date.
        only_on_sessions_of: market without whose session a scheduled or backfill run has nothing to do.
    """

    @task(dag=dag)
    def plan_batches() -> list[dict[str, Any]]:
        from include.ingest.plan import plan_run

        settings, form = run_settings(), get_current_context()["params"]
        values = {name: form[name] for name in ingest_params()}
        batches = plan_run(settings, current_run(settings), plan, run_facts(), values, zone, only_on_sessions_of)
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

        settings, context = run_settings(), get_current_context()
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

        settings, context = run_settings(), get_current_context()
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
