"""Analyst estimates, share counts and fundamentals, once a day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable
from wiring.forms import ingest_params
from wiring.ingest import ingest_tasks
from wiring.runs import ESTIMATES_ASSET, report_failure

from include.seeds.schedules import INGEST_ESTIMATES
from include.settings import Settings

if TYPE_CHECKING:
    from include.ingest.plan import TriggerParams
    from include.runs.facts import PlannedBatch

DOC = """
### Estimates, share counts and fundamentals
Takes a snapshot of the earnings estimates, the share count and the last results of every equity in `securities.csv`.

- **When:** 22:00 UTC every day (06:00 in Hong Kong, 17:00 or 18:00 in New York).
- **Late:** when a day has no snapshot. It cannot be made up: a live vendor has today's estimates only. Estimates older
  than `max_estimate_age_days` of `dbt_project.yml` are not used.

**When it is red**, nothing landed; `land` says why. A backfill of a live vendor is refused with a sentence; sources with
a history take one.
Step by step: `docs/runbooks/extraction-failed.md`, `docs/runbooks/late-data.md`.
"""


def plan(settings: Settings, as_of: date, params: TriggerParams) -> list[PlannedBatch]:
    from include.ingest.plan import plan_estimates

    return plan_estimates(settings, as_of, params)


with DAG(
    dag_id="ingest_estimates",
    schedule=CronTriggerTimetable(INGEST_ESTIMATES.cron, timezone=INGEST_ESTIMATES.timezone),
    start_date=pendulum.datetime(2025, 1, 1, tz=INGEST_ESTIMATES.timezone),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=report_failure,
    params=ingest_params(),
    doc_md=DOC,
    tags=["titans", "ingest"],
) as dag:
    ingest_tasks(dag, ESTIMATES_ASSET, plan, INGEST_ESTIMATES.timezone)
