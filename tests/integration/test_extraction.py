"""Fetching through failures and kills: nothing is asked for twice, nothing that came is lost, and each question leaves a record."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from yfinance.data import YfData

from include.errors import TitansError
from include.ingest.fetch import PartialFailureError, fetch_batch
from include.ingest.summary import summarise
from include.landing.batches import BatchManifest, checked_rows, content_hash, rows_by_symbol, write_batch
from include.landing.index import LandingIndex
from include.runs.facts import LandFacts, PlannedBatch
from include.runs.records import Run
from include.runs.rounds import begin_round, end_round
from include.settings import PROJECT_ROOT, Settings, load_settings
from include.sources.base import Dataset
from tests.integration.yahoo_stand_in import COOKIE, CRUMB, Bar, Fault, Series, YahooStandIn, company, trend
from tests.pipeline import ask

MONDAY, FRIDAY = date(2025, 3, 3), date(2025, 3, 7)
WEEK = [date(2025, 3, day) for day in range(3, 8)]
SOON = datetime.now(UTC).date() + timedelta(days=1)
"""A snapshot asked for up to tomorrow is today's, also where midnight passes during the test."""
DAG = "ingest_test"


def batch(dataset: str, group: str, symbols: list[str], start: date | None, end: date) -> PlannedBatch:
    return PlannedBatch(dataset=dataset, group=group, index=1, symbols=symbols, start=start, end=end)


PRICES = batch("prices", "us", ["AAPL", "MSFT", "NVDA"], MONDAY, FRIDAY)
RATES = batch("fx_rates", "fx", ["USDCNY", "USDHKD", "USDEUR"], MONDAY, FRIDAY)
ESTIMATES = batch("estimates", "all", ["AAPL", "MSFT", "NVDA"], None, SOON)
SHARES = batch("shares", "all", ["AAPL", "MSFT", "NVDA"], None, SOON)
ASKED_AS = {"USDCNY": "CNY=X", "USDHKD": "HKD=X", "USDEUR": "EUR=X"}
each_dataset = pytest.mark.parametrize(
    "request_", [PRICES, RATES, ESTIMATES, SHARES], ids=lambda request: request.dataset
)

MakeRun = Callable[..., Run]


@pytest.fixture
def yahoo() -> Iterator[YahooStandIn]:
    with YahooStandIn() as stand_in:
        for symbol, close in {"AAPL": 239.0, "MSFT": 393.0, "NVDA": 112.0}.items():
            bars = [Bar(day, close + n, close, close + 9, close - 9, 1000) for n, day in enumerate(WEEK)]
            stand_in.series[symbol] = Series("USD", "America/New_York", bars)
            stand_in.summaries[symbol] = company(symbol, close, 1e9, "USD", [trend("0y", "2030-12-31", 7.5, "USD")])
        for currency, rate in {"CNY": 7.2, "HKD": 7.75, "EUR": 0.92}.items():
            days = [Bar(day, rate) for day in WEEK]
            stand_in.series[f"{currency}=X"] = Series(
                currency, "Europe/London", days, clock_time(0), instrument_type="CURRENCY"
            )
        yield stand_in


@pytest.fixture(autouse=True)
def _no_crumb_of_another_test() -> None:
    client = YfData()
    client._cookie = client._crumb = None


@pytest.fixture
def settings(yahoo: YahooStandIn, tmp_path: Path) -> Settings:
    return load_settings(
        source="yahoo",
        data_dir=str(tmp_path / "data"),
        yahoo_base_url=yahoo.url,
        yahoo_requests_per_minute=60_000,
        yahoo_attempts=1,
    )


@pytest.fixture
def make_run(settings: Settings) -> MakeRun:
    def make(name: str) -> Run:
        return Run(settings.store, DAG, name)

    return make


def fetch(settings: Settings, request: PlannedBatch, run: Run, attempt: int = 1) -> None:
    """One attempt; failures of symbols are left in its record."""
    try:
        fetch_batch(settings, request, run, attempt, is_last_attempt=attempt == 3)
    except PartialFailureError:
        return


def end(settings: Settings, run: Run) -> LandFacts:
    """What the last task of a DAG does; returns its facts."""
    facts = summarise(settings.store, run, FRIDAY)
    run.finish(FRIDAY.isoformat())
    return facts


def landed_symbols(settings: Settings) -> list[str]:
    return sorted(
        window.symbol for _, manifest in LandingIndex(settings.store).batches() for window in manifest.windows
    )


class TestTheSameRun:
    @each_dataset
    def test_another_attempt_asks_for_the_failed_symbol_only(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun, request_: PlannedBatch
    ) -> None:
        failing = ASKED_AS.get(request_.symbols[1], request_.symbols[1])
        yahoo.break_symbol(failing, Fault.SERVER_ERROR)
        fetch(settings, request_, make_run("one"), 1)
        before = list(yahoo.requests)
        yahoo.mend()

        fetch(settings, request_, make_run("one"), 2)

        assert {symbol for _, symbol in yahoo.requests[len(before) :]} == {failing}
        assert landed_symbols(settings) == sorted(request_.symbols)

    def test_another_attempt_after_all_came_asks_nothing(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        fetch(settings, PRICES, make_run("one"), 1)
        before = len(yahoo.hits)
        fetch(settings, PRICES, make_run("one"), 2)
        assert len(yahoo.hits) == before


class TestAKill:
    REQUESTS = (PRICES, RATES, ESTIMATES)

    @pytest.fixture
    def killed(self, yahoo: YahooStandIn, settings: Settings) -> YahooStandIn:
        """Three processes, one a dataset, are killed while each waits for its last symbol."""
        program = f"""
import os, sys, signal
from include.ingest.fetch import fetch_batch
from include.runs.records import Run
from include.runs.rounds import begin_round, end_round
from include.settings import load_settings
from tests.integration.test_extraction import ESTIMATES, PRICES, RATES
for request in (PRICES, RATES, ESTIMATES):
    if os.fork() == 0:
        fetch_batch(load_settings(), request, Run(load_settings().store, "{DAG}", "killed"), 1, False)
        os._exit(0)
signal.pause()
"""
        waited_for = [ASKED_AS.get(request.symbols[-1], request.symbols[-1]) for request in self.REQUESTS]
        for asked in waited_for:
            yahoo.break_symbol(asked, Fault.SILENCE)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT_ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TITANS_SOURCE": "yahoo",
            "TITANS_DATA_DIR": str(settings.data_dir),
            "TITANS_YAHOO_BASE_URL": yahoo.url,
            "TITANS_YAHOO_REQUESTS_PER_MINUTE": "60000",
        }
        process = subprocess.Popen([sys.executable, "-c", program], env=environment, start_new_session=True)
        try:
            deadline = time.monotonic() + 60
            while not self._all_wait(yahoo):
                assert time.monotonic() < deadline, f"they got as far as {yahoo.requests}"
                assert process.poll() is None, "the process ended by itself"
                time.sleep(0.05)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        yahoo.mend()
        return yahoo

    def _all_wait(self, yahoo: YahooStandIn) -> bool:
        asked = {("chart" in path, symbol) for path, symbol in yahoo.requests}
        return asked >= {(True, "NVDA"), (True, "EUR=X"), (False, "NVDA")}

    def test_what_was_answered_is_kept_and_not_asked_for_again(
        self, killed: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        assert landed_symbols(settings) == []
        before = list(killed.requests)

        for request in self.REQUESTS:
            fetch(settings, request, make_run("killed"), 2)

        again = [("chart" in path, symbol) for path, symbol in killed.requests[len(before) :]]
        assert set(again) == {(True, "NVDA"), (True, "EUR=X"), (False, "NVDA")}
        assert landed_symbols(settings) == sorted([*PRICES.symbols, *RATES.symbols, *ESTIMATES.symbols])
        assert {
            manifest.attempt for _, manifest in LandingIndex(settings.store).batches() if len(manifest.windows) == 2
        } == {1}
        assert {
            manifest.attempt for _, manifest in LandingIndex(settings.store).batches() if len(manifest.windows) == 1
        } == {2}
        assert list((settings.store.landing / ".parts").glob("*/*")) == []

        # A run after that, of the same DAG, has the killed one's answers as well, and the asset gets its event.
        for request in self.REQUESTS:
            fetch(settings, request, make_run("later"), 1)
        assert len(killed.requests) == len(before) + len(again)
        facts = summarise(settings.store, make_run("later"), FRIDAY)
        assert (facts.symbols, facts.taken_over, facts.rows, facts.failed) == (6, 6, 0, [])


def test_an_answer_lands_at_the_time_it_was_given(
    settings: Settings, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a broken attempt left is older than what others fetched since, and must not outrank it."""
    with monkeypatch.context() as broken:
        broken.setattr("include.ingest.fetch.land", _full_disk)
        with pytest.raises(TitansError, match="the disk is full"):
            fetch_batch(settings, PRICES, make_run("one"), 1, False)
    between = datetime.now(UTC)

    fetch(settings, PRICES, make_run("one"), 2)

    ((_, manifest),) = LandingIndex(settings.store).batches()
    assert (manifest.attempt, manifest.run_id) == (1, f"{DAG}.one")
    assert manifest.fetched_at < between


def _full_disk(*_: object) -> None:
    raise TitansError("the disk is full")


class TestTheNextRun:
    def break_off(self, yahoo: YahooStandIn, settings: Settings, run: Run, request: PlannedBatch = PRICES) -> int:
        """A run in which one symbol fails; returns the number of requests."""
        yahoo.break_symbol("MSFT", Fault.SERVER_ERROR)
        fetch(settings, request, run)
        end(settings, run)
        yahoo.mend()
        return len(yahoo.requests)

    def test_it_takes_over_what_a_run_got_that_did_not_complete(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        before = self.break_off(yahoo, settings, make_run("one"))

        fetch(settings, PRICES, make_run("two"))

        assert {symbol for _, symbol in yahoo.requests[before:]} == {"MSFT"}
        facts = summarise(settings.store, make_run("two"), FRIDAY)
        assert (facts.symbols, facts.taken_over, facts.failed) == (3, 2, [])

    def test_once_a_run_has_completed_all_is_asked_for_again(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        self.break_off(yahoo, settings, make_run("one"))
        fetch(settings, PRICES, make_run("two"))
        end(settings, make_run("two"))
        before = len(yahoo.requests)

        fetch(settings, PRICES, make_run("three"))

        assert {symbol for _, symbol in yahoo.requests[before:]} == {"AAPL", "MSFT", "NVDA"}

    def test_a_symbol_that_nobody_has_does_not_leave_a_run_incomplete(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        del yahoo.series["MSFT"]
        fetch(settings, PRICES, make_run("one"))
        end(settings, make_run("one"))
        before = len(yahoo.requests)

        fetch(settings, PRICES, make_run("two"))

        assert {symbol for _, symbol in yahoo.requests[before:]} == {"AAPL", "MSFT", "NVDA"}

    def test_a_round_of_all_dags_goes_on_where_it_broke_off(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        """This DAG completes, another one does not: the next round asks for the other's only, and the round after that for all."""
        begin_round(settings.store)
        fetch(settings, PRICES, make_run("one"))
        end(settings, make_run("one"))
        before = len(yahoo.requests)
        begin_round(settings.store)
        fetch(settings, PRICES, make_run("two"))
        end(settings, make_run("two"))
        assert len(yahoo.requests) == before

        end_round(settings.store)
        fetch(settings, PRICES, make_run("three"))
        assert {symbol for _, symbol in yahoo.requests[before:]} == {"AAPL", "MSFT", "NVDA"}

    def test_another_dags_run_is_none_of_its_business(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        before = self.break_off(yahoo, settings, make_run("one"))
        fetch(settings, PRICES, Run(settings.store, f"{DAG}_too", "two"))
        assert {symbol for _, symbol in yahoo.requests[before:]} == {"AAPL", "MSFT", "NVDA"}

    @pytest.mark.parametrize(
        ("start", "is_given", "asked"),
        [
            (date(2025, 3, 5), False, {"MSFT"}),  # less than then: the stored session has moved on
            (date(2025, 2, 24), False, {"AAPL", "MSFT", "NVDA"}),  # more than then
            (date(2025, 3, 5), True, {"AAPL", "MSFT", "NVDA"}),  # somebody asks for these very days
            (MONDAY, True, {"MSFT"}),  # the same trigger again
        ],
    )
    def test_only_an_answer_to_the_question_will_do(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun, start: date, is_given: bool, asked: set[str]
    ) -> None:
        before = self.break_off(yahoo, settings, make_run("one"))
        fetch(
            settings,
            PRICES.model_copy(update={"start": start, "is_window_given": is_given}),
            make_run("two"),
        )
        assert {symbol for _, symbol in yahoo.requests[before:]} == asked

    def test_a_symbol_whose_last_session_was_missing_is_asked_for_again(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        friday = yahoo.series["NVDA"].bars.pop()
        before = self.break_off(yahoo, settings, make_run("one"))
        yahoo.series["NVDA"].bars.append(friday)

        fetch(settings, PRICES, make_run("two"))

        assert {symbol for _, symbol in yahoo.requests[before:]} == {"MSFT", "NVDA"}


class TestAStorm:
    def test_the_task_ends_at_once_says_when_to_come_back_and_keeps_what_came(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        settings = settings.model_copy(update={"yahoo_refusals_until_pause": 2})
        fetch(settings, RATES, make_run("one"))
        for symbol in ("MSFT", "NVDA"):
            yahoo.break_symbol(symbol, Fault.RATE_LIMITED)
        with pytest.raises(PartialFailureError) as caught:
            fetch_batch(settings, PRICES, make_run("one"), 1, is_last_attempt=False)

        assert caught.value.is_retryable is False, "an attempt within the pause would be refused"
        told = str(caught.value)
        assert told.startswith(
            "2 of 3 symbols failed (MSFT: Yahoo answered MSFT with 429, too many requests: wait some minutes"
        )
        assert "NVDA: query2.finance.yahoo.com answered 2 requests in a row with 429" in told
        assert f"it is not asked again before {datetime.now(UTC):%Y-}" in told
        assert landed_symbols(settings) == ["AAPL", "USDCNY", "USDEUR", "USDHKD"]
        (step,) = [step for step in make_run("one").steps() if step.failures]
        assert all(failure.is_final and failure.is_retryable for failure in step.failures)

    def test_the_next_run_within_the_pause_is_refused_in_one_sentence(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        settings = settings.model_copy(update={"yahoo_refusals_until_pause": 1})
        yahoo.break_symbol("*", Fault.RATE_LIMITED)
        fetch(settings, PRICES, make_run("one"))
        before = len(yahoo.hits)

        run = make_run("two")
        fetch(settings, RATES, run)
        with pytest.raises(
            TitansError,
            match=r"^Nothing landed: query2\.finance\.yahoo\.com answered a request with 429, [^.]* UTC\. Run again then; [^.]*\.$",
        ):
            summarise(settings.store, run, FRIDAY)
        assert len(yahoo.hits) == before


class TestTheRecord:
    def test_each_fetch_says_what_was_asked_where_when_and_what_came(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        before = datetime.now(UTC)
        yahoo.break_symbol("EUR=X", Fault.SERVER_ERROR)

        fetch(settings, RATES, make_run("one"))

        ((_, manifest),) = LandingIndex(settings.store).batches()
        hkd = next(window for window in manifest.windows if window.symbol == "USDHKD")
        assert (hkd.start, hkd.end, hkd.rows, hkd.first, hkd.last) == (MONDAY, FRIDAY, 5, MONDAY, FRIDAY)
        assert hkd.address == "query2.finance.yahoo.com/v8/finance/chart/HKD=X"
        assert hkd.asked_at is not None
        assert before <= hkd.asked_at <= manifest.fetched_at <= datetime.now(UTC)
        rows = "".join(f'"USD","HKD",2025-03-0{day},7.75\n' for day in range(3, 8))
        written = '"base_currency","quote_currency","date","rate"\n' + rows
        assert hkd.content_hash == hashlib.sha256(written.encode()).hexdigest()
        (failure,) = manifest.failures
        assert (failure.symbol, failure.reason) == ("USDEUR", "Yahoo answered EUR=X with the server error 503.")
        assert failure.address == "query2.finance.yahoo.com/v8/finance/chart/EUR=X"

    def test_what_failed_altogether_has_a_record_too(
        self, yahoo: YahooStandIn, settings: Settings, make_run: MakeRun
    ) -> None:
        yahoo.break_symbol("*", Fault.SERVER_ERROR)
        fetch(settings, PRICES, make_run("one"))
        ((_, manifest),) = LandingIndex(settings.store).batches()
        assert ([failure.symbol for failure in manifest.failures], manifest.windows) == (["AAPL", "MSFT", "NVDA"], [])

    def test_neither_cookie_nor_crumb_is_written_or_logged(
        self,
        yahoo: YahooStandIn,
        settings: Settings,
        make_run: MakeRun,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        caplog.set_level("INFO")
        monkeypatch.setattr("tenacity.wait.random.uniform", lambda low, _: low)
        settings = settings.model_copy(update={"yahoo_attempts": 2})
        for symbol, fault in (("AAPL", Fault.CUT), ("MSFT", Fault.HTML)):
            yahoo.break_symbol(symbol, fault, times=3)
        run = make_run("one")
        fetch(settings, ESTIMATES, run)
        fetch(settings, SHARES, run)
        run.finish(None)

        assert any(path == "v1/test/getcrumb" for _, path in yahoo.hits), (
            "a crumb was fetched, so there was something to hide"
        )
        # yfinance's own cache holds the cookie: it must, to use it again.
        written = [path for path in settings.data_dir.rglob("*") if path.is_file() and "cache" not in path.parts]
        texts = [path.read_bytes().decode(errors="replace") for path in written]
        texts += [manifest.model_dump_json() for _, manifest in LandingIndex(settings.store).batches()] + [caplog.text]
        assert len(texts) > 5
        assert [
            text for text in texts if CRUMB in text or "stand.in%2Fcrumb" in text or COOKIE in text or "crumb=" in text
        ] == []

    def test_a_landing_file_that_was_changed_is_refused_by_name(self, settings: Settings, make_run: MakeRun) -> None:
        fetch(settings, RATES, make_run("one"))
        ((path, manifest),) = LandingIndex(settings.store).batches()
        checked_rows(path, manifest)
        table = pq.read_table(path)
        rates = table["rate"].to_pylist()
        changed = table.set_column(3, "rate", [[7.76 if rate == 7.75 else rate for rate in rates]])
        pq.write_table(changed, path)
        with pytest.raises(TitansError, match=rf"{path.name} does not hold the rows of USDHKD that landed in it"):
            checked_rows(path, manifest)

    def test_a_damaged_landing_file_does_not_stop_the_next_fetch(self, settings: Settings, make_run: MakeRun) -> None:
        fetch(settings, RATES, make_run("one"))
        ((damaged, _),) = LandingIndex(settings.store).batches()
        damaged.write_bytes(damaged.read_bytes().replace(b'"fetched_at": "20', b'"fetched_at": "21'))
        fetch(settings, RATES, make_run("two"))
        ((new, manifest),) = LandingIndex(settings.store, passes_over_damaged=True).batches()
        assert new != damaged
        assert checked_rows(new, manifest).num_rows > 0
        with pytest.raises(TitansError, match=damaged.name):
            LandingIndex(settings.store).batches()


class TestTheTrace:
    """From a row of the marts to the fetch that it came with, in a published file of real prices."""

    def manifests(self, settings: Settings) -> dict[str, tuple[Path, BatchManifest]]:
        return {manifest.batch_id: (path, manifest) for path, manifest in LandingIndex(settings.store).batches()}

    @pytest.mark.parametrize(
        ("table", "dataset", "symbol", "day", "item"),
        [
            ("fct_security_daily", "prices", "symbol", "date", "'close'"),
            ("fct_index_daily", "prices", "symbol", "date", "'close'"),
            ("fct_corporate_actions", "prices", "symbol", "date", "mart.action"),
            ("fct_fx_daily", "fx_rates", "currency_pair", "date", "'rate'"),
            ("fct_shares_outstanding", "shares", "symbol", "as_of", "'shares_outstanding'"),
            (
                "fct_estimate_snapshots",
                "estimates",
                "symbol",
                "as_of",
                "mart.metric || ' ' || mart.period_type || ' ' || mart.period_end",
            ),
        ],
    )
    def test_every_row_leads_to_one_fetch(
        self, built_real_store: Settings, table: str, dataset: str, symbol: str, day: str, item: str
    ) -> None:
        ((rows, traced, fetched),) = ask(
            built_real_store,
            f"""select count(*), count(origins.batch_id), count(fetches.batch_id)
            from marts.{table} as mart
            left join ops.row_origins as origins
                on origins.dataset = '{dataset}' and origins.symbol = mart.{symbol}
                and origins.item = {item} and mart.{day} between origins.from_date and origins.to_date
            left join ops.fetches as fetches
                on fetches.batch_id = origins.batch_id and fetches.symbol = origins.symbol and fetches.outcome = 'landed'""",
        )
        expected = ask(built_real_store, f"select count(*) from marts.{table}")[0][0]
        assert (rows, traced, fetched) == (expected, expected, expected)
        assert expected > 0

    def test_the_fetch_holds_the_value(self, built_real_store: Settings) -> None:
        """Exchange rates come through unchanged: each must stand, digit by digit, in the file that it is said to be from."""
        files = {
            (batch_id, row["base_currency"] + row["quote_currency"], row["date"]): row["rate"]
            for batch_id, (path, manifest) in self.manifests(built_real_store).items()
            if manifest.dataset is Dataset.FX_RATES
            for row in checked_rows(path, manifest).to_pylist()
        }
        told = ask(
            built_real_store,
            """select origins.batch_id, rates.currency_pair, rates.date, rates.rate
            from marts.fct_fx_daily as rates
            inner join ops.row_origins as origins
                on origins.symbol = rates.currency_pair and rates.date between origins.from_date and origins.to_date""",
        )
        assert len(told) > 1000
        assert [rate for *_, rate in told] == [files[batch_id, pair, day] for batch_id, pair, day, _ in told]

    def test_fetches_tell_what_landed(self, built_real_store: Settings) -> None:
        manifests = self.manifests(built_real_store)
        rows = ask(
            built_real_store, "select batch_id, symbol, row_count, content_hash, address, run_id from ops.fetches"
        )
        assert len(rows) == sum(len(manifest.windows) for _, manifest in manifests.values())
        for batch_id, symbol, row_count, told_hash, address, run_id in rows:
            path, manifest = manifests[batch_id]
            own = rows_by_symbol(manifest.dataset, checked_rows(path, manifest), [symbol])[symbol]
            assert (own.num_rows, content_hash(own), manifest.run_id) == (row_count, told_hash, run_id)
            assert address == f"{manifest.dataset}.csv"


def test_a_clock_that_was_set_back_fetches_nothing(yahoo: YahooStandIn, settings: Settings, make_run: MakeRun) -> None:
    """What came would count as older than what it corrects. A file of tomorrow stands for one that was fetched before the clock was set back."""
    fetch(settings, PRICES, make_run("one"))
    ((path, manifest),) = LandingIndex(settings.store).batches()
    later = datetime.now(UTC) + timedelta(days=1)
    tomorrow = manifest.model_copy(update={"fetched_at": later, "batch_id": "later"})
    write_batch(path.with_name("later.parquet"), checked_rows(path, manifest), tomorrow)
    asked = len(yahoo.requests)
    with pytest.raises(TitansError, match=r"clock says .* set back.*Nothing was fetched"):
        fetch(settings, PRICES, make_run("two"))
    assert len(yahoo.requests) == asked
