"""Real DAG runs on the sample, all in one process: the day that each is about, and what one that fails leaves behind."""

from __future__ import annotations

import json
import stat
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from include.errors import Runbook
from include.files import write_whole
from include.ingest.fetch import fetch_batch
from include.ingest.plan import TriggerParams, plan_estimates
from include.ingest.summary import summarise
from include.landing.index import LandingIndex
from include.production import Production
from include.runs.facts import PlanFacts
from include.runs.records import Run, RunRecord, runbook_of
from include.settings import Settings, load_settings
from tests.dags.dag_runs import Case, Request, Result, execute_cases
from titans.commands.status import status_lines


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])  # type: ignore[attr-defined]  # set below
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The test's own output is enough."""


SCHEDULED = Request("ingest_prices_hk", run_type="scheduled", logical_date="2025-03-06T09:30:00+00:00")
ACROSS_THE_DATE_LINE = Request(
    "ingest_prices_us", run_type="scheduled", logical_date="2025-03-07T00:30:00+00:00", conf={"symbols": ["AAPL"]}
)
HOLIDAY = Request("ingest_prices_hk", run_type="scheduled", logical_date="2025-01-29T09:30:00+00:00")  # Lunar New Year
BACKFILL = Request(
    "ingest_prices_hk", run_type="backfill", logical_date="2025-03-04T09:30:00+00:00", conf={"symbols": ["0700.HK"]}
)
BACKFILL_HOLIDAY = Request("ingest_prices_hk", run_type="backfill", logical_date="2025-01-30T09:30:00+00:00")
MANUAL = Request("ingest_prices_hk", logical_date="2025-03-05T01:00:00+00:00", conf={"symbols": ["0700.HK"]})
MANUAL_HOLIDAY = Request("ingest_prices_hk", conf={"as_of": "2025-01-29", "symbols": ["0700.HK"]})
FUTURE = Request("ingest_prices_hk", conf={"as_of": "2999-01-01"})
WINDOW = Request(
    "ingest_prices_hk",
    conf={"as_of": "2025-03-07", "start": "2025-02-03", "end": "2025-02-14", "symbols": ["0700.HK", "9988.HK"]},
)
FUTURE_BUILD = Request("build_marts", conf={"as_of": "2999-01-01"})
DAYS = [
    SCHEDULED,
    ACROSS_THE_DATE_LINE,
    HOLIDAY,
    BACKFILL,
    BACKFILL_HOLIDAY,
    MANUAL,
    MANUAL_HOLIDAY,
    FUTURE,
    WINDOW,
    FUTURE_BUILD,
]


@dataclass(frozen=True)
class Played:
    """What Airflow made of the cases below, each on a store of its own; and what the webhook got."""

    home: Path
    told: list[str]
    cases: dict[str, Case]
    results: dict[str, list[Result]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The build of ``nothing landed`` has nothing to build from, and a day before all data ends its ingest."""
    folder = tmp_path_factory.mktemp("dag_runs")
    fx = Request("ingest_fx", {"as_of": "2025-03-07"})

    def settings(name: str, **values: Any) -> Settings:
        return load_settings(data_dir=str(folder / name), **values)

    with HTTPServer(("127.0.0.1", 0), _Handler) as receiver:
        receiver.texts = []  # type: ignore[attr-defined]  # what has been told
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        url = SecretStr(f"http://127.0.0.1:{receiver.server_address[1]}/services/not-for-logs")
        cases = {
            "days": Case(settings("days"), tuple(DAYS)),
            "nothing landed": Case(
                settings("nothing", webhook_url=url),
                (Request("build_marts"), Request("ingest_fx", {"as_of": "1999-01-01"})),
            ),
            "plan killed": Case(settings("killed"), (fx,), dying=("plan_batches",)),
            "other source": Case(settings("other", source="sample"), (fx,)),
            "landing in the way": Case(settings("way"), (fx,)),
        }
        production = Production(source="yahoo", since=datetime(2025, 3, 8, tzinfo=UTC))
        write_whole(cases["other source"].settings.published.production, production.model_dump_json())
        landing = cases["landing in the way"].settings.store.landing
        landing.parent.mkdir(parents=True)
        landing.write_text("in the way")
        results = execute_cases(folder / "airflow", *cases.values())
        receiver.shutdown()
        told: list[str] = receiver.texts  # type: ignore[attr-defined]  # as above
    return Played(folder / "airflow", told, cases, dict(zip(cases, results, strict=True)))


def result_of(played: Played, request: Request) -> Result:
    return played.results["days"][DAYS.index(request)]


def windows_of(played: Played, result: Result) -> dict[str, tuple[date | None, date]]:
    """What the landing files of a run were asked for."""
    name = f"{result.record.dag_id}.{result.record.run_id}".replace(":", "-").replace("+", "-")
    return {
        window.symbol: (window.start, window.end)
        for _, manifest in LandingIndex(played.cases["days"].settings.store).batches()
        if manifest.run_id == name
        for window in manifest.windows
    }


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(SCHEDULED, "2025-03-06", id="scheduled"),
        pytest.param(ACROSS_THE_DATE_LINE, "2025-03-06", id="scheduled, next day in UTC"),
        pytest.param(BACKFILL, "2025-03-04", id="backfill"),
        pytest.param(MANUAL, "2025-03-05", id="manual with logical date"),
        pytest.param(MANUAL_HOLIDAY, "2025-01-29", id="manual with as_of"),
        pytest.param(WINDOW, "2025-03-07", id="manual with window"),
    ],
)
def test_dag_run_is_about(played: Played, request_: Request, expected: str) -> None:
    result = result_of(played, request_)
    assert (result.state, result.record.outcome) == ("success", "success")
    assert (result.run_type, result.record.as_of) == (request_.run_type, expected)


def test_scheduled_run_fetches_up_to_its_day(played: Played) -> None:
    windows = windows_of(played, result_of(played, SCHEDULED))
    assert len(windows) == 8
    assert {end for _, end in windows.values()} == {date(2025, 3, 6)}


@pytest.mark.parametrize(
    "request_", [pytest.param(HOLIDAY, id="scheduled"), pytest.param(BACKFILL_HOLIDAY, id="backfill")]
)
def test_run_of_the_timetable_on_a_holiday_is_skipped_and_lands_nothing(played: Played, request_: Request) -> None:
    result = result_of(played, request_)
    assert {name: task.state for name, task in result.tasks.items()} == {
        "plan_batches": "success",
        "fetch_batch": "skipped",
        "land": "skipped",
    }
    assert (result.state, result.record.outcome) == ("success", "skipped")
    plan = result.record.step("plan")
    assert plan is not None
    assert plan.message == f"{result.record.as_of} is no session of hk"
    assert windows_of(played, result) == {}


def test_manual_run_on_a_holiday_fetches_up_to_the_last_session_before(played: Played) -> None:
    assert {symbol: end for symbol, (_, end) in windows_of(played, result_of(played, MANUAL_HOLIDAY)).items()} == {
        "0700.HK": date(2025, 1, 28)
    }


def test_backfill_in_one_trigger_fetches_exactly_the_window(played: Played) -> None:
    window = (date(2025, 2, 3), date(2025, 2, 14))
    assert windows_of(played, result_of(played, WINDOW)) == {"0700.HK": window, "9988.HK": window}


def test_future_date_makes_a_red_run_that_says_why(played: Played) -> None:
    result = result_of(played, FUTURE)
    assert result.state == "failed"
    assert "AS_OF=2999-01-01 is in the future: give a date up to today" in str(result.record.step("plan"))
    assert windows_of(played, result) == {}


def test_build_for_a_future_date_is_red_before_it_writes(played: Played) -> None:
    result = result_of(played, FUTURE_BUILD)
    assert (result.state, [step.step for step in result.record.steps]) == ("failed", ["as_of"])
    assert "AS_OF=2999-01-01 is in the future" in result.record.steps[0].message
    assert not played.cases["days"].settings.store.warehouse.exists()


def test_logs_of_tasks_are_where_the_ui_looks(played: Played) -> None:
    logs = result_of(played, FUTURE).logs
    assert sorted(logs) == ["task_id=land/attempt=1.log", "task_id=plan_batches/attempt=1.log"]
    assert "AS_OF=2999-01-01 is in the future" in logs["task_id=plan_batches/attempt=1.log"]


def test_mapped_tasks_have_names(played: Played) -> None:
    assert result_of(played, WINDOW).tasks["fetch_batch[0]"].label == "prices hk 1: 2 symbols from 2025-02-03"


def test_failed_runs_leave_one_incident_each_and_tell_the_webhook_once(played: Played) -> None:
    settings = played.cases["nothing landed"].settings
    build, ingest = played.results["nothing landed"]
    texts = played.told
    assert (build.state, ingest.state) == ("failed", "failed")
    pages = {
        path.name.split("-", 2)[1].removesuffix(".md"): path.read_text()
        for path in (settings.store.incidents).iterdir()
    }
    assert sorted(pages) == ["build_marts", "ingest_fx"]
    assert Runbook.SOURCE_EMPTY.path in pages["build_marts"]
    assert "before the data" in pages["ingest_fx"]
    assert [text.split(" failed at ")[0] for text in texts] == ["Titans: build_marts", "Titans: ingest_fx"]
    # Airflow called the callback as well, which found the incident written.
    assert "Executing on_failure dag callback: report_failure" in (played.home / "logs" / "runs.log").read_text()
    assert stat.S_IMODE(played.home.stat().st_mode) == 0o700, "Airflow's keys lie in it"
    written = [*settings.data_dir.rglob("*"), *played.home.rglob("*")]
    leaked = [path for path in written if path.is_file() and b"not-for-logs" in path.read_bytes()]
    assert leaked == []


def test_the_callback_reports_a_run_whose_last_task_was_killed(bag: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """As the DAG processor calls it: with no task's context, only the DAG, the run and a reason."""
    settings = load_settings(data_dir=str(tmp_path))
    monkeypatch.setenv("TITANS_DATA_DIR", str(tmp_path))
    with Run(settings.store, "ingest_fx", "scheduled__1").step("plan"):
        pass
    dag = bag.dags["ingest_fx"]
    dag.on_failure_callback({"dag": dag, "run_id": "scheduled__1", "reason": "task_failure"})
    (page,) = (settings.store.incidents).iterdir()
    assert "ingest_fx failed at the step after plan" in page.read_text()
    (path,) = settings.store.runs.glob("*.json")
    assert RunRecord.model_validate_json(path.read_text()).outcome == "failed"


def test_a_run_whose_plan_was_killed_before_its_first_word_is_red(played: Played) -> None:
    """`land` runs whatever became of the tasks before it: without their records it must not call the run one with nothing to do."""
    settings = played.cases["plan killed"].settings
    (result,) = played.results["plan killed"]
    assert {name: task.state for name, task in result.tasks.items()} == {
        "plan_batches": "failed",
        "fetch_batch": "upstream_failed",
        "land": "failed",
    }
    assert (result.state, result.record.outcome) == ("failed", "failed")
    assert runbook_of(result.record) is Runbook.KILLED_RUN
    (page,) = (settings.store.incidents).iterdir()
    assert "left no record" in page.read_text()


def test_symbols_of_a_batch_whose_every_attempt_was_killed_are_named(tmp_path: Path) -> None:
    """Estimates, share counts and results are a batch each; of the second no attempt lives long enough to say anything."""
    settings = load_settings(data_dir=str(tmp_path))
    run = Run(settings.store, "ingest_estimates", "scheduled__1")
    with run.step("plan") as step:
        batches = plan_estimates(settings, date(2025, 3, 7), TriggerParams())
        step.facts = PlanFacts(batches=batches)
    estimates, shares, results = batches
    for batch in (estimates, results):
        fetch_batch(settings, batch, run, 1, is_last_attempt=False)
    facts = summarise(settings.store, run, date(2025, 3, 7))
    record = run.finish("2025-03-07", "land")
    assert facts.failed == sorted(shares.symbols)
    assert record.outcome == "partial"
    (line,) = [text for label, text in status_lines(settings, record.ended_at) if label == "Ingest"]
    assert "sample ingest_estimates partial" in line
    assert "every attempt of its task was killed" in line
    assert "BABA" in line or "9988.HK" in line


def test_a_run_of_the_sample_on_a_real_folder_is_red_before_it_ingests(played: Played) -> None:
    """As on a server whose TITANS_SOURCE says sample, on a folder that serves Yahoo's prices."""
    settings = played.cases["other source"].settings
    (result,) = played.results["other source"]
    assert (result.state, result.record.outcome, result.record.source) == ("failed", "failed", "yahoo")
    assert runbook_of(result.record) is Runbook.OTHER_SOURCE
    assert not settings.store.root.exists(), "nothing of the sample was written"
    (page,) = settings.store_of("yahoo").incidents.iterdir()
    assert "SWITCH=yes" in page.read_text()
    assert f"`make run DATA={settings.data_dir}`" in page.read_text()


def test_a_landing_folder_that_cannot_be_written_is_told_at_once_and_in_a_sentence(played: Played) -> None:
    """A file where the folder should be, which stops the superuser too. Two more attempts would wait for a minute and end alike."""
    settings = played.cases["landing in the way"].settings
    (result,) = played.results["landing in the way"]
    assert (result.state, result.tasks["fetch_batch[0]"].tries) == ("failed", 1)
    failed = result.record.failed_step
    assert failed is not None
    assert failed.message.startswith(f"{settings.store.landing}")
    assert "cannot be read or written (Not a directory): free space or change who may write there" in failed.message
