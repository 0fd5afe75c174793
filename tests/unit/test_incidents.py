"""A failed run leaves a page for whoever comes to look, and a webhook hears of it; neither can make things worse."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from include.errors import Runbook, TitansError
from include.gates.result import CheckResult
from include.runs.alerts import MAX_CHARACTERS, post_text
from include.runs.incidents import report, report_unrecorded
from include.runs.records import FailureRow, Run, RunRecord
from include.settings import Settings, load_settings

SECRET = "T0/B1/not-for-logs"


class Receiver(HTTPServer):
    """A webhook on an ephemeral port of loopback that keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[dict[str, str]] = []
        self.status, self.delay = 200, 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        time.sleep(self.server.delay)
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The test's own output is enough."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path))


def failed_run(settings: Settings) -> RunRecord:
    run = Run(settings.store, "build_marts", "manual__2025-03-07T08:00:00+00:00")
    with contextlib.suppress(TitansError), run.step("check_marts") as step:
        step.checks = [
            CheckResult(
                gate="check_marts", name="nothing_lost", table="quality.lost", severity="critical", status="failed",
                why="Rows that were published must not vanish.", failing_rows=30, examples=[{"symbol": "0700.HK", "month": "2025-03"}] * 25,
            )
        ]  # fmt: skip
        raise TitansError("1 critical check failed: nothing_lost & <!channel>", Runbook.ROWS_LOST)
    return run.finish("2025-03-07")


def test_page_says_what_failed_on_which_rows_what_is_published_and_what_to_do(settings: Settings) -> None:
    path = report(settings, failed_run(settings))
    assert path is not None
    text = path.read_text()
    for words in (
        "# build_marts failed at check_marts", "manual__2025-03-07T08:00:00+00:00", "source sample, as of 2025-03-07", "docs/runbooks/rows-lost.md",
        "1 critical check failed", "symbol=0700.HK, month=2025-03", "- and 10 more", "Nothing: no generation has been published yet",
    ):  # fmt: skip
        assert words in text
    assert path.parent == settings.store.incidents


def test_symbols_that_could_not_be_fetched_are_listed(settings: Settings) -> None:
    run = Run(settings.store, "ingest_fx", "one")
    with contextlib.suppress(TitansError), run.step("land") as step:
        step.failures = [
            FailureRow(dataset="fx_rates", symbol="USDHKD", reason="asked too often (429)", attempt=3, is_final=True)
        ]
        raise TitansError("Nothing landed")
    path = report(settings, run.finish(None))
    assert path is not None
    assert "- USDHKD (fx_rates, attempt 3): asked too often (429)" in path.read_text()
    assert Runbook.EXTRACTION_FAILED.path in path.read_text()


def test_a_run_that_did_not_fail_makes_no_page(settings: Settings) -> None:
    run = Run(settings.store, "build_marts", "one")
    with run.step("publish"):
        pass
    assert report(settings, run.finish(None, "publish")) is None
    assert not (settings.store.incidents).exists()


def test_the_callback_after_the_last_task_makes_no_second_page(settings: Settings, receiver: Receiver) -> None:
    told = settings.model_copy(update={"webhook_url": SecretStr(receiver.url)})
    record = failed_run(told)
    first = report(told, record)
    assert report_unrecorded(told, record.dag_id, record.run_id) == first
    assert len(list((settings.store.incidents).iterdir())) == 1
    assert len(receiver.bodies) == 1


def test_a_killed_run_is_failed_and_says_after_which_step(settings: Settings) -> None:
    """The task that transforms is killed: it records nothing, and the last task is killed too, so only Airflow's callback is left."""
    run = Run(settings.store, "build_marts", "one")
    with run.step("check_raw"):
        pass
    path = report_unrecorded(settings, "build_marts", "one")
    assert path is not None
    assert "failed at the step after check_raw" in path.read_text()
    assert Runbook.KILLED_RUN.path in path.read_text()


def test_a_killed_run_whose_tasks_are_cleared_ends_well(settings: Settings) -> None:
    run = Run(settings.store, "build_marts", "one")
    with run.step("check_raw"):
        pass
    assert run.finish(None, "publish").outcome == "failed"
    for name in ("transform", "publish"):
        with run.step(name):
            pass
    record = run.finish(None, "publish")
    assert (record.outcome, [step.step for step in record.steps]) == ("success", ["check_raw", "transform", "publish"])


def test_webhook_gets_one_text_without_markup(settings: Settings, receiver: Receiver) -> None:
    told = settings.model_copy(update={"webhook_url": SecretStr(receiver.url)})
    path = report(told, failed_run(told))
    (body,) = receiver.bodies
    assert set(body) == {"text"}
    assert body["text"].startswith(
        "Titans: build_marts failed at check_marts. 1 critical check failed: nothing_lost &amp; &lt;!channel&gt;"
    )
    assert "docs/runbooks/rows-lost.md" in body["text"]
    assert path is not None
    assert path.read_text().endswith("Webhook: told.\n")


@pytest.mark.parametrize(
    ("status", "delay", "words"),
    [(500, 0.0, "answered 500"), (302, 0.0, "answered 302"), (200, 3.0, "no answer within 0.5 seconds")],
)
def test_a_webhook_that_fails_is_a_word_and_nothing_else(
    receiver: Receiver, status: int, delay: float, words: str
) -> None:
    receiver.status, receiver.delay = status, delay
    problem = post_text(SecretStr(receiver.url), "x", seconds=0.5 if delay else 10)
    assert words in problem
    assert "not-for-logs" not in problem
    assert len(receiver.bodies) == 1, "a redirect was followed"


def test_a_webhook_that_is_not_there_is_noted_and_its_address_shows_nowhere(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    url = f"http://127.0.0.1:9/services/{SECRET}"
    told = settings.model_copy(update={"webhook_url": SecretStr(url)})
    path = report(told, failed_run(told))
    assert path is not None
    assert "Webhook: the receiver could not be reached (ConnectionRefusedError)." in path.read_text()
    everything = [file.read_text() for file in settings.data_dir.rglob("*") if file.is_file()] + [
        caplog.text,
        repr(told),
        str(told.model_dump()),
    ]
    assert [text for text in everything if "not-for-logs" in text] == []


def test_a_long_text_is_cut(receiver: Receiver) -> None:
    assert post_text(SecretStr(receiver.url), "x" * 100_000) == ""
    assert len(receiver.bodies[0]["text"]) == MAX_CHARACTERS


def test_a_full_disk_still_reaches_the_webhook(settings: Settings, receiver: Receiver) -> None:
    told = settings.model_copy(update={"webhook_url": SecretStr(receiver.url)})
    record = failed_run(told)
    (told.store.incidents).write_text("a file where the folder should be")
    report(told, record)
    assert len(receiver.bodies) == 1


@pytest.mark.parametrize(
    "value",
    [
        "ftp://example.com/not-for-logs",
        "file:///etc/passwd-not-for-logs",
        "not-for-logs",
        "http://",
        "javascript:not-for-logs",
    ],
)
def test_an_address_that_is_not_http_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(TitansError, match="TITANS_WEBHOOK_URL must be an address that begins with https") as caught:
        load_settings(webhook_url=value)
    shown = f"{caught.value} {caught.value.__cause__}"
    assert "not-for-logs" not in shown
