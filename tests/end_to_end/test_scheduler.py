"""The DAGs under the real scheduler, with the command that a user starts; and a batch with a symbol that nobody has."""

from __future__ import annotations

import csv
import signal
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]  # its types are no dependency
import pytest

from include.landing.batches import BatchManifest
from include.landing.index import LandingIndex
from include.runs.records import RunRecord, run_records
from include.settings import Settings, load_settings
from tests.dags.dag_runs import Request, Result, execute
from tests.end_to_end.airflow_server import AirflowServer, airflow_server, stop
from tests.pipeline import AS_OF, ask, copy_project, ingest_all

WINDOW = {"start": "2025-02-03", "end": "2025-02-14", "symbols": ["0700.HK", "9988.HK"]}


def test_assets_start_a_build_that_publishes_and_a_backfill_is_one_trigger(tmp_path: Path) -> None:
    """Airflow's home is fresh; the store already has what the four ingest DAGs bring, so that the first landing completes nothing."""
    settings = load_settings(data_dir=str(tmp_path / "data"))
    ingest_all(settings)
    with airflow_server(settings, tmp_path) as server:
        _refuses_strangers(server)
        server.log_in()
        _listens_on_loopback_only(server)
        ingest = server.trigger("ingest_prices_us", {"as_of": AS_OF.isoformat()})
        backfill = server.trigger("ingest_prices_hk", {"as_of": AS_OF.isoformat(), **WINDOW})
        for dag_id, run_id in (("ingest_prices_us", ingest), ("ingest_prices_hk", backfill)):
            server.wait_for(f"end of {dag_id}", partial(_has_ended, server, dag_id, run_id), 240)
            assert server.run(dag_id, run_id)["state"] == "success"

        build = server.wait_for("build of the backfill", lambda: _build_after(server, backfill), 240)

        assert (build["state"], build["run_type"]) == ("success", "asset_triggered")
        carried = [event["extra"]["as_of"] for event in _events_of(server, build)]
        assert _record_of(settings, build).as_of == max(carried)
        assert {
            window.symbol: (window.start, window.end) for window in _batch_of(settings, backfill).windows
        } == dict.fromkeys(WINDOW["symbols"], (date(2025, 2, 3), date(2025, 2, 14)))
        _the_timetable_resolved_its_own_days(server, settings)
        left = stop(server, signal.SIGINT)
    assert [process.name() for process in left] == []
    _published_file_says_the_right_thing(settings)


def _refuses_strangers(server: AirflowServer) -> None:
    assert server.status_of("GET", "/api/v2/dags") in (401, 403)
    assert server.status_of("POST", "/auth/token", {"username": "admin", "password": "admin"}) in (401, 403)


def _listens_on_loopback_only(server: AirflowServer) -> None:
    open_to = {
        (connection.laddr.ip, connection.laddr.port)
        for process in server.family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert open_to == {("127.0.0.1", server.port)}


def _has_ended(server: AirflowServer, dag_id: str, run_id: str) -> bool:
    return server.run(dag_id, run_id)["state"] in ("success", "failed")


def _events_of(server: AirflowServer, build: dict[str, Any]) -> list[dict[str, Any]]:
    return list(
        server.call("GET", f"/api/v2/dags/build_marts/dagRuns/{quote(build['dag_run_id'])}/upstreamAssetEvents")[
            "asset_events"
        ]
    )


def _build_after(server: AirflowServer, run_id: str) -> dict[str, Any] | None:
    """The first build that began after this run of ingest_prices_hk had landed, once the build has ended."""
    landed_at = server.call("GET", f"/api/v2/dags/ingest_prices_hk/dagRuns/{quote(run_id)}/taskInstances/land")[
        "end_date"
    ]
    for build in server.runs("build_marts"):
        if build["state"] in ("success", "failed") and build["queued_at"] > landed_at:
            return build
    return None


def _record_of(settings: Settings, run: dict[str, Any]) -> RunRecord:
    return next(record for record in run_records(settings.store, run["dag_id"]) if record.run_id == run["dag_run_id"])


def _batch_of(settings: Settings, run_id: str) -> BatchManifest:
    name = run_id.replace(":", "-").replace("+", "-")
    (manifest,) = [manifest for _, manifest in LandingIndex(settings.store).batches() if manifest.run_id.endswith(name)]
    return manifest


def _the_timetable_resolved_its_own_days(server: AirflowServer, settings: Settings) -> None:
    """On a fresh home each schedule catches up with its last slot."""
    scheduled = [run for run in server.runs() if run["run_type"] == "scheduled" and run["state"] == "success"]
    assert scheduled, "no schedule has started anything"
    for run in scheduled:
        slot = date.fromisoformat(run["logical_date"][:10])
        assert abs((date.fromisoformat(str(_record_of(settings, run).as_of)) - slot).days) <= 1


def _published_file_says_the_right_thing(settings: Settings) -> None:
    assert ask(
        settings, "select close from marts.fct_security_daily where symbol = '0700.HK' and date = '2025-03-07'"
    ) == [(533.5,)]
    (headline,) = ask(
        settings,
        "select sentence from marts.fct_headlines where as_of = '2025-03-07' and headline_id = 'HSTECH.HK_drawdown'",
    )
    assert headline[0].startswith("Simulated: The Hang Seng Tech Index stood 44.8% below its record close of 10,945.22")


@pytest.fixture(scope="module")
def runs_with_unknown_symbol(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[Result]]:
    """Every DAG once, with a security in the seeds that the sample does not have."""
    folder = tmp_path_factory.mktemp("unknown_symbol")
    project = copy_project(folder / "dbt_project")
    with (project / "seeds" / "securities.csv").open("a", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(["TSM", "TSMC", "equity", "XNYS", "USD", "TWD"])
    settings = load_settings(data_dir=str(folder / "data"), dbt_project_dir=str(project))
    conf = {"as_of": AS_OF.isoformat()}
    dag_ids = ["ingest_prices_us", "ingest_prices_hk", "ingest_fx", "ingest_estimates", "build_marts"]
    return settings, execute(settings, *[Request(dag_id, conf) for dag_id in dag_ids])


def test_batch_with_an_unknown_symbol_is_red_while_its_run_is_green(
    runs_with_unknown_symbol: tuple[Settings, list[Result]],
) -> None:
    prices = runs_with_unknown_symbol[1][0]
    assert {name: task.state for name, task in prices.tasks.items()} == {
        "plan_batches": "success",
        "fetch_batch[0]": "failed",
        "land": "success",
    }
    assert (prices.state, prices.record.outcome) == ("success", "partial")


def test_unknown_symbol_is_on_record_with_its_reason(runs_with_unknown_symbol: tuple[Settings, list[Result]]) -> None:
    prices = runs_with_unknown_symbol[1][0]
    assert [(failure.symbol, failure.attempt, failure.is_final) for failure in prices.record.failures] == [
        ("TSM", 1, True)
    ]
    assert "sample" in prices.record.failures[0].reason


def test_unknown_symbol_is_named_in_the_log_of_its_task(
    runs_with_unknown_symbol: tuple[Settings, list[Result]],
) -> None:
    log = runs_with_unknown_symbol[1][0].logs["task_id=fetch_batch/map_index=0/attempt=1.log"]
    assert "1 of 10 symbols failed (TSM: " in log


def test_what_trying_again_cannot_mend_is_not_tried_again(
    runs_with_unknown_symbol: tuple[Settings, list[Result]],
) -> None:
    assert runs_with_unknown_symbol[1][0].tasks["fetch_batch[0]"].tries == 1


def test_build_publishes_the_others(runs_with_unknown_symbol: tuple[Settings, list[Result]]) -> None:
    settings, results = runs_with_unknown_symbol
    assert (results[-1].state, results[-1].record.outcome) == ("success", "success")
    priced = {row[0] for row in ask(settings, "select distinct symbol from marts.fct_security_daily")}
    assert "NVDA" in priced
    assert "TSM" not in priced
