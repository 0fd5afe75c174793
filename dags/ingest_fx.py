"""Exchange rates and risk-free rates of the currencies in use, after the day's fixing."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable
from wiring.forms import ingest_params
from wiring.ingest import ingest_tasks
from wiring.runs import FX_ASSET, report_failure

from include.seeds.schedules import INGEST_FX
from include.settings import Settings

if TYPE_CHECKING:
    from include.ingest.plan import TriggerParams
    from include.runs.facts import PlannedBatch

DOC = """
### FX and risk-free rates
Fetches US dollars against each currency that a security of `securities.csv` trades or reports in, and the risk-free rates
that the source has of US dollars and the currencies of prices. Only finished days are stored.

- **When:** 17:30 in Berlin on weekdays, after the European fixing (23:30 or 00:30 in Hong Kong, 11:30 in New York).
- **Late:** when the last stored rate is older than three days. Rates older than `max_fx_age_days` of `dbt_project.yml`
  are not used, and the build then stops.

**When it is red**, no pair landed; `land` says why. Trigger again; for a gap, with `start` and `end`.
Step by step: `docs/runbooks/extraction-failed.md`, `docs/runbooks/late-data.md`.
"""


def plan(settings: Settings, as_of: date, params: TriggerParams) -> list[PlannedBatch]:
    from include.ingest.plan import plan_fx

    return plan_fx(settings, as_of, params)


with DAG(
    dag_id="ingest_fx",
    schedule=CronTriggerTimetable(INGEST_FX.cron, timezone=INGEST_FX.timezone),
    start_date=pendulum.datetime(2025, 1, 1, tz=INGEST_FX.timezone),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=report_failure,
    params=ingest_params(),
    doc_md=DOC,
    tags=["titans", "ingest"],
) as dag:
    ingest_tasks(dag, FX_ASSET, plan, INGEST_FX.timezone)
