"""One DAG for each market of the seed exchanges: daily prices with dividends and splits, after the close."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable, MultipleCronTriggerTimetable
from wiring.forms import ingest_params
from wiring.ingest import ingest_tasks
from wiring.runs import prices_asset, report_failure

from include.seeds.read import load_reference
from include.seeds.rows import Exchange
from include.settings import Settings, load_shared_settings

if TYPE_CHECKING:
    from include.ingest.plan import TriggerParams
    from include.runs.facts import PlannedBatch

DOC = """
### Prices of {name}
Fetches open, high, low, close, volume, dividends and splits of the {market} securities in `securities.csv`, and lands
them as Parquet files.

- **When:** `{cron}` in {zone} time, after the close. A scheduled run on a day without a session ends as skipped.
- **Late:** when no run has succeeded two hours after that time on a session day.
- **Window:** from `TITANS_OVERLAP_SESSIONS` before the last stored session; everything for a new symbol; `start` to `end`
  of the form for a backfill.

**When it is red**, not one symbol landed. Read the last lines of `land`: it says why. A red batch in a green run means
that some symbols failed while the others landed; their reasons are in the batch's log and in `make status`.
No network: trigger again later, nothing is lost. A rate limit: the message says from when on; the next run asks only for
what is missing.
An unknown symbol: correct `securities.csv`.
Step by step: `docs/runbooks/extraction-failed.md`, `docs/runbooks/late-data.md`.
"""


def make_dag(market: str, exchanges: Sequence[Exchange]) -> DAG:
    """The DAG of the exchanges of one market, which are on one clock."""
    zone = exchanges[0].timezone
    crons = list(dict.fromkeys(exchange.ingest_cron for exchange in exchanges))
    dag = DAG(
        dag_id=f"ingest_prices_{market}",
        schedule=CronTriggerTimetable(crons[0], timezone=zone)
        if len(crons) == 1
        else MultipleCronTriggerTimetable(*crons, timezone=zone),
        start_date=pendulum.datetime(2025, 1, 1, tz=zone),
        catchup=False,
        max_active_runs=1,
        on_failure_callback=report_failure,
        params=ingest_params(),
        doc_md=DOC.format(
            name=", ".join(exchange.name for exchange in exchanges),
            market=market,
            cron="` and `".join(crons),
            zone=zone,
        ),
        tags=["titans", "ingest"],
    )

    def plan(settings: Settings, as_of: date, params: TriggerParams) -> list[PlannedBatch]:
        from include.ingest.plan import plan_prices

        return plan_prices(settings, market, as_of, params)

    ingest_tasks(dag, prices_asset(market), plan, zone, only_on_sessions_of=market)
    return dag


EXCHANGES = load_reference(load_shared_settings().seeds_dir).exchanges
for each in dict.fromkeys(exchange.market for exchange in EXCHANGES):
    globals()[f"ingest_prices_{each}"] = make_dag(each, [row for row in EXCHANGES if row.market == each])
