"""Landing to published marts, whenever any ingest DAG has landed something."""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, AssetAny, task
from airflow.sdk.exceptions import AirflowFailException
from wiring.forms import as_of_param, known_at_param
from wiring.runs import (
    ESTIMATES_ASSET,
    FX_ASSET,
    current_run,
    finish_run,
    prices_asset,
    report_failure,
    run_as_of,
    run_settings,
)

from include.raw.lock import WRITER_POOL
from include.seeds.read import load_reference
from include.settings import load_shared_settings

DOC = """
### Build and publish the marts
`load` → `check_raw` (gate 1) → `transform` (one `dbt build`) → `check_marts` (gate 2) → `publish`, one writer at a time.

- **When:** as soon as any ingest DAG has landed something. No landing, no build.
- **Late:** when an ingest run is more than 30 minutes old and `make status` still shows an older generation. A build
  without a changed row publishes nothing: that is not late.
- **Known at:** triggered with that day, the same tasks build from the raw store alone what could be known by its end
  (UTC), into `data/<source>/known_at/<day>.duckdb`. Nothing is loaded, judged or published.

**When it is red**, what was published before is still there and still right. The last lines of the red task say what
failed; `make status` shows the rows, and `data/<source>/incidents/` has a page about the run.

| red task | means | do (in `docs/runbooks/`) |
|---|---|---|
| `load` | nothing landed, another build is writing, or the warehouse or a landing file is damaged | `source-empty.md`, `warehouse-locked.md`, `warehouse-damaged.md`, `bad-input.md` |
| `check_raw` | too many symbols, or an FX pair, are quarantined | `too-many-quarantined.md`, `fx-pair-quarantined.md`, `gate-1-quarantine.md` |
| `transform` | a model or a dbt test failed | `transform-failed.md` |
| `check_marts` | a critical expectation failed | `rows-lost.md`, `gate-2-failed.md` |
| `publish` | the file could not be written | `publish-failed.md` |
| `record` alone | a task was killed | `killed-run.md` |
"""

MARKETS = dict.fromkeys(row.market for row in load_reference(load_shared_settings().seeds_dir).exchanges)
ASSETS = [prices_asset(market) for market in MARKETS]

with DAG(
    dag_id="build_marts",
    schedule=AssetAny(*ASSETS, FX_ASSET, ESTIMATES_ASSET),
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=report_failure,
    params={"as_of": as_of_param(), "known_at": known_at_param()},
    doc_md=DOC,
    tags=["titans", "build"],
) as dag:

    @task(pool=WRITER_POOL)
    def load() -> dict[str, Any]:
        from include import build

        settings = run_settings()
        run = current_run(settings)
        with run.step("as_of"):
            run_as_of()
        return build.load(settings, run).model_dump(mode="json")

    @task(pool=WRITER_POOL)
    def check_raw() -> dict[str, Any]:
        from include import build

        settings = run_settings()
        return build.check_raw(settings, current_run(settings)).model_dump(mode="json")

    @task(pool=WRITER_POOL)
    def transform() -> dict[str, Any]:
        from include import build

        settings = run_settings()
        return build.transform(settings, current_run(settings)).model_dump(mode="json")

    @task(pool=WRITER_POOL)
    def check_marts() -> dict[str, Any]:
        from include import build

        settings = run_settings()
        return build.check_marts(settings, current_run(settings)).model_dump(mode="json")

    @task(pool=WRITER_POOL)
    def publish() -> dict[str, Any]:
        from include import build

        settings = run_settings()
        return build.publish_marts(settings, current_run(settings)).model_dump(mode="json")

    @task(trigger_rule="all_done")
    def record() -> str:
        """Write the run record, and end as the run did."""
        settings = run_settings()
        finished = finish_run(settings)
        if finished.outcome == "failed":
            raise AirflowFailException(next(step.message for step in finished.steps if step.outcome == "failed"))
        return finished.outcome

    load() >> check_raw() >> transform() >> check_marts() >> publish() >> record()
