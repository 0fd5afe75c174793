"""The Yahoo source with the real yfinance client in front of a stand-in on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from yfinance.data import YfData

from include.errors import NetworkUnavailableError
from include.seeds.read import load_reference
from include.seeds.rows import Security
from include.settings import PROJECT_ROOT, RequestLimits, Settings
from include.sources.base import SCHEMAS, CurrencyPair, Dataset, Window
from include.sources.yahoo import YahooSource
from include.sources.yahoo.client import YahooClient
from include.sources.yahoo.host_guard import HostGuard
from tests.integration.yahoo_stand_in import Bar, Fault, Series, YahooStandIn, company, generate, trend

AFTER_BOTH_CLOSES = datetime(2025, 3, 7, 22, 30, tzinfo=UTC)
HONG_KONG_TRADES = datetime(2025, 3, 7, 3, 0, tzinfo=UTC)
WEEK = Window(date(2025, 3, 3), date(2025, 3, 7))
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2025, 3, day) for day in range(3, 8))

ALIBABA = Security(symbol="9988.HK", name="Alibaba", kind="equity", exchange="XHKG", currency="HKD")
TENCENT = Security(symbol="0700.HK", name="Tencent", kind="equity", exchange="XHKG", currency="HKD")
APPLE = Security(symbol="AAPL", name="Apple", kind="equity", exchange="XNYS", currency="USD")
NVIDIA = Security(symbol="NVDA", name="Nvidia", kind="equity", exchange="XNYS", currency="USD")
MICROSOFT = Security(symbol="MSFT", name="Microsoft", kind="equity", exchange="XNYS", currency="USD")
TESLA = Security(symbol="TSLA", name="Tesla", kind="equity", exchange="XNYS", currency="USD")
NASDAQ = Security(symbol="^NDX", name="Nasdaq 100", kind="index", exchange="XNYS", currency="USD")
HSTECH = Security(symbol="HSTECH.HK", name="Hang Seng Tech Index", kind="index", exchange="XHKG", currency="HKD")
USDHKD = CurrencyPair("USD", "HKD")

OpenSource = Callable[..., YahooSource]
PATIENT = RequestLimits(
    requests_per_minute=60, attempts=4, longest_wait_seconds=60, refusals_until_pause=6, pause_seconds=900
)


class FakeTime:
    """A clock that only sleeping moves on."""

    def __init__(self, start: datetime) -> None:
        self.seconds = start.timestamp()
        self.waits: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


def bars(*closes: float | None) -> list[Bar]:
    """One bar a session from Monday on, each a little above its open."""
    days = (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)
    return [
        Bar(day, close, open=close - 1, high=close + 2, low=close - 3, volume=1000 + n)
        if close is not None
        else Bar(day, None)
        for n, (day, close) in enumerate(zip(days, closes, strict=False))
    ]


def new_york(*closes: float | None, **details: Any) -> Series:
    return Series("USD", "America/New_York", bars(*closes), **details)


def hong_kong(*closes: float | None, **details: Any) -> Series:
    return Series("HKD", "Asia/Hong_Kong", bars(*closes), **details)


@pytest.fixture
def yahoo() -> Iterator[YahooStandIn]:
    with YahooStandIn() as stand_in:
        stand_in.series["AAPL"] = new_york(238.03, 235.93, 235.74, 235.33, 239.07)
        stand_in.series["0700.HK"] = hong_kong(480.0, 490.2, 520.0, 544.0, 533.5)
        yield stand_in


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime(AFTER_BOTH_CLOSES)


@pytest.fixture
def open_source(yahoo: YahooStandIn, data_dir: Path, tmp_path: Path, fake_time: FakeTime) -> OpenSource:
    # yfinance holds one cookie and crumb a process: each test starts without.
    client = YfData()
    client._cookie = client._crumb = None

    def open_at(now: datetime = AFTER_BOTH_CLOSES, base_url: str | None = None) -> YahooSource:
        guard = HostGuard(tmp_path / "requests.sqlite", PATIENT, fake_time.now, fake_time.sleep)
        client = YahooClient(base_url or yahoo.url, data_dir / "yahoo" / "cache", guard)
        return YahooSource(load_reference(Settings().seeds_dir), client, clock=lambda: now)

    return open_at


class TestPrices:
    def test_a_week_arrives_cell_by_cell(self, open_source: OpenSource) -> None:
        extract = open_source().prices([APPLE, TENCENT], WEEK)

        assert extract.failures == []
        assert extract.fetched_at == AFTER_BOTH_CLOSES
        assert extract.table.schema == SCHEMAS[Dataset.PRICES]
        rows = extract.table.to_pylist()
        assert [(row["symbol"], row["date"], row["close"]) for row in rows] == [
            *zip(
                ["AAPL"] * 5,
                [MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY],
                [238.03, 235.93, 235.74, 235.33, 239.07],
                strict=True,
            ),
            *zip(
                ["0700.HK"] * 5,
                [MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY],
                [480.0, 490.2, 520.0, 544.0, 533.5],
                strict=True,
            ),
        ]
        assert rows[-1] == {
            "symbol": "0700.HK",
            "date": FRIDAY,
            "open": 532.5,
            "high": 535.5,
            "low": 530.5,
            "close": 533.5,
            "volume": 1004,
            "dividend": None,
            "dividend_currency": None,
            "split_ratio": None,
            "currency": "HKD",
            "basis_date": date(2025, 3, 8),  # it is Saturday in Hong Kong
        }
        assert rows[0]["basis_date"] == FRIDAY

    def test_both_ends_of_the_window_are_included(self, open_source: OpenSource) -> None:
        extract = open_source().prices([APPLE], Window(TUESDAY, THURSDAY))

        assert extract.table.column("date").to_pylist() == [TUESDAY, WEDNESDAY, THURSDAY]

    def test_without_a_start_all_history_is_asked_for(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.series["AAPL"].bars.insert(0, Bar(date(2001, 6, 1), 0.37, 0.36, 0.38, 0.35, 10))

        extract = open_source().prices([APPLE], Window(None, FRIDAY))

        assert extract.table.column("date").to_pylist()[0] == date(2001, 6, 1)

    def test_dividends_and_splits_stand_on_their_ex_date(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.series["AAPL"].dividends[TUESDAY] = (0.25, None)
        yahoo.series["AAPL"].splits[THURSDAY] = (10, 1)

        rows = open_source().prices([APPLE], WEEK).table.to_pylist()

        assert [row["dividend"] for row in rows] == [None, 0.25, None, None, None]
        assert [row["dividend_currency"] for row in rows] == [None] * 5
        assert [row["split_ratio"] for row in rows] == [None, None, None, 10.0, None]
        assert [row["close"] for row in rows] == [238.03, 235.93, 235.74, 235.33, 239.07]

    def test_a_dividend_in_another_currency_keeps_it(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.series["9988.HK"] = hong_kong(130.0, 131.0, 139.0, 140.8, 140.0, dividends={WEDNESDAY: (0.125, "USD")})

        row = open_source().prices([ALIBABA], WEEK).table.to_pylist()[2]

        assert (row["dividend"], row["dividend_currency"], row["currency"]) == (0.125, "USD", "HKD")

    def test_events_of_days_without_a_session_count_on_the_next_one(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        saturday, sunday = date(2025, 3, 1), date(2025, 3, 2)
        yahoo.series["AAPL"].bars.insert(0, Bar(date(2025, 2, 28), 241.84, 240.0, 242.0, 230.0, 9))
        yahoo.series["AAPL"].dividends |= {saturday: (0.25, None), MONDAY: (0.5, None), date(2025, 3, 8): (9.0, None)}
        yahoo.series["AAPL"].splits |= {saturday: (2, 1), sunday: (3, 1)}

        rows = open_source().prices([APPLE], Window(date(2025, 2, 28), FRIDAY)).table.to_pylist()
        again = open_source().prices([APPLE], WEEK).table.to_pylist()

        assert [(row["date"], row["dividend"], row["split_ratio"]) for row in rows] == [
            (date(2025, 2, 28), None, None),
            (MONDAY, 0.75, 6.0),
            *((day, None, None) for day in (TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)),
        ]
        assert again == rows[1:], "a window that begins on Monday must not withdraw what came on Saturday"

    def test_dividends_of_two_currencies_are_not_added(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        saturday = date(2025, 3, 1)
        yahoo.series["AAPL"].dividends |= {saturday: (3.9, "HKD"), MONDAY: (0.5, None)}

        rows = open_source().prices([APPLE], Window(saturday, FRIDAY)).table.to_pylist()

        found = [(row["date"], row["close"], row["dividend"], row["dividend_currency"]) for row in rows[:2]]
        assert found == [(saturday, None, 3.9, "HKD"), (MONDAY, 238.03, 0.5, None)]

    @pytest.mark.parametrize("missing", [TUESDAY, FRIDAY])
    def test_a_dividend_of_a_session_without_a_bar_stays_on_it(
        self, yahoo: YahooStandIn, open_source: OpenSource, missing: date
    ) -> None:
        yahoo.series["AAPL"].bars = [bar for bar in yahoo.series["AAPL"].bars if bar.day != missing]
        yahoo.series["AAPL"].dividends[missing] = (0.25, None)

        rows = open_source().prices([APPLE], WEEK).table.to_pylist()

        assert [(row["date"], row["close"]) for row in rows if row["dividend"]] == [(missing, None)]
        assert len(rows) == 5

    def test_of_two_different_bars_of_a_day_both_are_delivered_for_the_raw_store_to_reject(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.series["AAPL"].bars.insert(3, Bar(WEDNESDAY, 240.0, 239.0, 241.0, 238.0, 5))

        extract = open_source().prices([APPLE], WEEK)

        assert extract.failures == []
        found = sorted((row["date"], row["close"]) for row in extract.table.select(["date", "close"]).to_pylist())
        assert [close for day, close in dict.fromkeys(found) if day == WEDNESDAY] == [235.74, 240.0]
        assert {day for day, _ in found} == {MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY}

    def test_an_event_that_cannot_be_read_is_named_and_costs_no_bar(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.series["AAPL"].dividends[TUESDAY] = (float("nan"), None)
        yahoo.series["AAPL"].splits[WEDNESDAY] = (0, 1)
        yahoo.series["AAPL"].bars[3] = Bar(THURSDAY, 235.33)

        extract = open_source().prices([APPLE], WEEK)

        rows = [(row["close"], row["dividend"], row["split_ratio"]) for row in extract.table.to_pylist()]
        assert rows == [(close, None, None) for close in (238.03, 235.93, 235.74, 235.33, 239.07)]
        assert extract.table["volume"].to_pylist()[3] is None, "an unknown volume is not 0"
        (note,) = extract.notes
        assert note.startswith("Of AAPL Yahoo sent a dividend (")
        assert '"amount": NaN' in note
        assert "}) and 1 more that cannot be read: it counts nowhere" in note

    def test_a_dividend_or_split_below_zero_is_delivered_to_be_rejected(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.series["AAPL"].dividends[TUESDAY] = (-0.25, None)
        yahoo.series["AAPL"].splits[WEDNESDAY] = (-2, 1)

        extract = open_source().prices([APPLE], WEEK)

        rows = [(row["close"], row["dividend"], row["split_ratio"]) for row in extract.table.to_pylist()[1:3]]
        assert rows == [(235.93, -0.25, None), (235.74, None, -2.0)]
        assert extract.notes == []

    def test_a_symbol_with_a_slash_is_one_part_of_the_address(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        berkshire = Security(symbol="BRK/B", name="Berkshire", kind="equity", exchange="XNYS", currency="USD")
        yahoo.series["BRK/B"] = new_york(510.0, 511.0, 512.0, 513.0, 514.0)
        yahoo.summaries["BRK/B"] = company("BRK/B", 514.0, 2.1e9, "USD", [])

        prices = open_source().prices([berkshire], WEEK)
        shares = open_source().shares([berkshire], Window(FRIDAY, FRIDAY))

        assert (prices.table["close"].to_pylist()[-1], shares.table["shares_outstanding"].to_pylist()) == (
            514.0,
            [2.1e9],
        )
        assert prices.addresses["BRK/B"] == "query2.finance.yahoo.com/v8/finance/chart/BRK%2FB"

    def test_an_index_has_no_volume(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.series["^NDX"] = new_york(20425.58, 20352.94, 20628.46, 20052.63, 20201.37, instrument_type="INDEX")

        table = open_source().prices([NASDAQ], WEEK).table

        assert table.column("volume").to_pylist() == [None] * 5
        assert table.column("close").to_pylist()[-1] == 20201.37

    def test_the_bar_of_a_running_session_is_left_out(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.series["AAPL"] = new_york(238.03, 235.93, 235.74, 235.33)

        extract = open_source(now=HONG_KONG_TRADES).prices([TENCENT, APPLE], WEEK)

        last = {row["symbol"]: row["date"] for row in extract.table.to_pylist()}
        assert last == {"0700.HK": THURSDAY, "AAPL": THURSDAY}
        assert extract.failures == []

    def test_a_live_bar_beyond_the_end_is_left_out(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.series["0700.HK"] = hong_kong(480.0, 490.2, 520.0, 544.0, live=Bar(FRIDAY, 540.0, 541.0, 542.0, 539.0, 5))

        extract = open_source(now=HONG_KONG_TRADES).prices([TENCENT], Window(MONDAY, THURSDAY))

        assert extract.table.column("date").to_pylist()[-1] == THURSDAY

    def test_a_bar_without_a_close_is_delivered_for_the_raw_store_to_reject(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.series["AAPL"] = new_york(238.03, 235.93, 235.74, 235.33, None)

        last = open_source().prices([APPLE], WEEK).table.to_pylist()[-1]

        assert (last["date"], last["close"], last["volume"]) == (FRIDAY, None, None)

    def test_an_empty_bar_on_a_holiday_is_no_bar(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        holiday = date(2025, 1, 29)  # Lunar New Year
        yahoo.series["0700.HK"].bars = [
            Bar(date(2025, 1, 28), 400.0, 399.0, 401.0, 398.0, 7),
            Bar(holiday, None),
            *bars(480.0),
        ]

        extract = open_source().prices([TENCENT], Window(date(2025, 1, 27), MONDAY))

        assert extract.table.column("date").to_pylist() == [date(2025, 1, 28), MONDAY]

    def test_a_missing_last_bar_does_not_cost_the_others(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.series["AAPL"] = new_york(238.03, 235.93, 235.74, 235.33)

        extract = open_source().prices([APPLE], WEEK)

        assert extract.table.column("date").to_pylist() == [MONDAY, TUESDAY, WEDNESDAY, THURSDAY]
        assert extract.failures == []

    def test_a_window_without_a_finished_session_asks_for_nothing(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        extract = open_source().prices([APPLE], Window(date(2025, 3, 1), date(2025, 3, 2)))

        assert (extract.table.num_rows, extract.failures, yahoo.requests_of("AAPL")) == (0, [], 0)

    def test_a_day_that_the_calendar_does_not_reach_fails_its_symbols(
        self, open_source: OpenSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ends = {"XNYS": THURSDAY}
        monkeypatch.setattr("include.seeds.calendars.known_until", lambda name: ends.get(name, date.max))

        extract = open_source().prices([TENCENT, APPLE], WEEK)

        assert set(extract.table["symbol"].to_pylist()) == {"0700.HK"}
        ((symbol, reason),) = [(failure.symbol, failure.reason) for failure in extract.failures]
        assert (symbol, "until 2025-03-06 only: update that package" in reason) == ("AAPL", True)
        assert open_source().prices([APPLE], Window(MONDAY, THURSDAY)).failures == []

    def test_an_unknown_symbol_fails_alone_and_for_good(self, open_source: OpenSource) -> None:
        extract = open_source().prices([NVIDIA, APPLE], WEEK)

        (failure,) = extract.failures
        assert (failure.symbol, failure.is_retryable) == ("NVDA", False)
        assert failure.reason == (
            'Yahoo does not know NVDA ("No data found, symbol may be delisted"): correct or remove it in securities.csv.'
        )
        assert set(extract.table.column("symbol").to_pylist()) == {"AAPL"}

    def test_too_many_requests_once_is_waited_out(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.break_symbol("AAPL", Fault.RATE_LIMITED, times=2)

        extract = open_source().prices([APPLE], WEEK)

        assert extract.failures == []
        assert extract.table.num_rows == 5

    def test_too_many_requests_for_one_symbol_costs_that_symbol(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.break_symbol("AAPL", Fault.RATE_LIMITED)

        extract = open_source().prices([APPLE, TENCENT], WEEK)

        (failure,) = extract.failures
        assert (failure.symbol, failure.is_retryable) == ("AAPL", True)
        assert "429, too many requests" in failure.reason
        assert set(extract.table.column("symbol").to_pylist()) == {"0700.HK"}
        assert yahoo.requests_of("AAPL") <= 6

    @pytest.mark.parametrize(
        ("fault", "sentence"),
        [
            (Fault.SERVER_ERROR, "Yahoo answered AAPL with the server error 503."),
            (Fault.HTML, "Yahoo answered AAPL with something else than JSON."),
            (Fault.EMPTY, "Yahoo answered AAPL without any price."),
        ],
    )
    def test_a_broken_answer_fails_alone_in_a_sentence(
        self, yahoo: YahooStandIn, open_source: OpenSource, fault: Fault, sentence: str
    ) -> None:
        yahoo.break_symbol("AAPL", fault)

        extract = open_source().prices([APPLE, TENCENT], WEEK)

        assert [(failure.symbol, failure.reason, failure.is_retryable) for failure in extract.failures] == [
            ("AAPL", sentence, True)
        ]
        assert set(extract.table.column("symbol").to_pylist()) == {"0700.HK"}

    def test_a_broken_answer_is_not_remembered(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        source = open_source()
        yahoo.break_symbol("AAPL", Fault.HTML, times=1)
        assert source.prices([APPLE], WEEK).table.num_rows == 0

        extract = source.prices([APPLE], WEEK)

        assert (extract.failures, extract.table.num_rows) == ([], 5)

    def test_a_corrected_price_is_seen_by_the_next_fetch(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        source = open_source()
        source.prices([APPLE], WEEK)
        yahoo.series["AAPL"] = new_york(238.03, 235.93, 235.74, 235.33, 239.5)

        assert source.prices([APPLE], WEEK).table.column("close").to_pylist()[-1] == 239.5

    def test_another_symbols_series_is_refused(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.series["AAPL"].answers_as = "MSFT"

        extract = open_source().prices([APPLE, TENCENT], WEEK)

        assert [failure.reason for failure in extract.failures] == [
            "Yahoo answered with another symbol's series: AAPL was asked for, MSFT came."
        ]
        assert set(extract.table.column("symbol").to_pylist()) == {"0700.HK"}


class TestFxRates:
    def test_finished_days_of_a_pair_arrive(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        rates = [
            Bar(day, rate) for day, rate in zip((WEDNESDAY, THURSDAY, FRIDAY), (7.7712, 7.773, 7.7701), strict=True)
        ]
        yahoo.series["HKD=X"] = Series(
            "HKD", "Europe/London", rates, opens_at=datetime.min.time(), instrument_type="CURRENCY"
        )

        extract = open_source().fx_rates([USDHKD], WEEK)

        assert extract.table.schema == SCHEMAS[Dataset.FX_RATES]
        assert extract.table.to_pylist() == [
            {"base_currency": "USD", "quote_currency": "HKD", "date": WEDNESDAY, "rate": 7.7712},
            {"base_currency": "USD", "quote_currency": "HKD", "date": THURSDAY, "rate": 7.773},
        ]

    def test_a_rate_in_summer_keeps_its_london_day(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        day = date(2024, 7, 3)  # midnight in London is 23:00 UTC of the day before
        yahoo.series["HKD=X"] = Series(
            "HKD", "Europe/London", [Bar(day, 7.81)], opens_at=datetime.min.time(), instrument_type="CURRENCY"
        )

        assert open_source().fx_rates([USDHKD], Window(day, day)).table.column("date").to_pylist() == [day]

    def test_a_rate_in_the_wrong_currency_is_refused(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.series["HKD=X"] = Series("USD", "Europe/London", [Bar(THURSDAY, 0.1287)], instrument_type="CURRENCY")

        extract = open_source().fx_rates([USDHKD], WEEK)

        assert extract.table.num_rows == 0
        assert extract.failures[0].symbol == "USDHKD"
        assert extract.failures[0].reason.startswith("Yahoo quotes HKD=X in USD, not in HKD")


class TestRiskFree:
    def test_the_index_of_bills_is_a_discount_in_per_cent(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        discounts = [Bar(WEDNESDAY, 4.193), Bar(THURSDAY, None), Bar(FRIDAY, 4.2)]
        yahoo.series["^IRX"] = Series("USD", "America/Chicago", discounts, instrument_type="INDEX")

        extract = open_source().risk_free(["USD"], WEEK)

        assert extract.table.schema == SCHEMAS[Dataset.RISK_FREE]
        assert extract.failures == []
        (row,) = extract.table.to_pylist()  # Thursday has no quote, and Friday is not over
        assert row == {
            "currency": "USD",
            "tenor": "13w",
            "date": WEDNESDAY,
            "rate": pytest.approx(0.04193, rel=1e-12),
            "quote_basis": "discount",
            "note": "Yahoo chart ^IRX, in per cent",
        }
        assert extract.addresses["USD"].endswith("/v8/finance/chart/^IRX")

    def test_no_other_currency_is_offered(self, open_source: OpenSource) -> None:
        assert open_source().offered(Dataset.RISK_FREE, ["HKD", "USD"]) == ["USD"]


class TestShares:
    def test_all_classes_count_together(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.summaries["AAPL"] = company("AAPL", 239.07, 15.02e9, "USD", [], one_class=12e9)

        extract = open_source().shares([APPLE, NASDAQ], Window(FRIDAY, FRIDAY))

        assert extract.failures == []
        assert extract.table.schema == SCHEMAS[Dataset.SHARES]
        assert extract.table.to_pylist() == [
            {
                "symbol": "AAPL",
                "as_of": FRIDAY,
                "shares_outstanding": 15.02e9,
                "share_class": "implied total",
                "note": "Yahoo quoteSummary impliedSharesOutstanding",
                "basis_date": FRIDAY,
            }
        ]

    def test_shares_outstanding_stand_in_where_they_fit_the_market_value(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.summaries["AAPL"] = company("AAPL", 239.07, 15.02e9, "USD", [])
        del yahoo.summaries["AAPL"]["defaultKeyStatistics"]["impliedSharesOutstanding"]

        (row,) = open_source().shares([APPLE], Window(FRIDAY, FRIDAY)).table.to_pylist()

        assert (row["shares_outstanding"], row["share_class"]) == (15.02e9, "sharesOutstanding")

    def test_a_count_that_does_not_fit_the_market_value_is_refused(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.summaries["AAPL"] = company("AAPL", 200.0, 1000.0, "USD", [], one_class=970.0)
        del yahoo.summaries["AAPL"]["defaultKeyStatistics"]["impliedSharesOutstanding"]

        extract = open_source().shares([APPLE], Window(FRIDAY, FRIDAY))

        assert extract.table.num_rows == 0
        (failure,) = extract.failures
        assert failure.is_retryable is False
        assert "970 shares at 200.00 are worth 194,000, but the market value is 200,000" in failure.reason

    def test_of_two_counts_the_one_that_fits_the_market_value_counts(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.summaries["AAPL"] = company("AAPL", 245.55, 15_390_999_552, "USD", [], one_class=15_022_100_480)
        yahoo.summaries["AAPL"]["price"]["marketCap"] = 3_688_676_720_640

        (row,) = open_source().shares([APPLE], Window(FRIDAY, FRIDAY)).table.to_pylist()

        assert (row["shares_outstanding"], row["share_class"]) == (15_022_100_480, "sharesOutstanding")

    def test_within_the_tolerance_the_nearer_count_counts(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.summaries["AAPL"] = company("AAPL", 200.0, 1010.0, "USD", [], one_class=1000.0)
        yahoo.summaries["AAPL"]["price"]["marketCap"] = 200_000.0

        assert open_source().shares([APPLE], Window(FRIDAY, FRIDAY)).table["shares_outstanding"].to_pylist() == [1000.0]

    def test_a_price_in_pence_fits_a_market_value_in_pounds(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.summaries["AAPL"] = company("AAPL", 500.0, 1000.0, "GBp", [])
        yahoo.summaries["AAPL"]["price"]["marketCap"] = 5000.0

        extract = open_source().shares([APPLE], Window(FRIDAY, FRIDAY))

        assert extract.failures == []
        assert extract.table["shares_outstanding"].to_pylist() == [1000.0]

    def test_a_backfill_is_refused(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        extract = open_source().shares([APPLE, NASDAQ], Window(MONDAY, THURSDAY))

        assert [(failure.symbol, failure.reason) for failure in extract.failures] == [
            (
                "AAPL",
                "Yahoo only gives today's share counts; it has no history, so a backfill of share counts to 2025-03-06 is refused.",
            )
        ]
        assert yahoo.requests == []


class TestEstimates:
    def test_quarters_and_years_arrive_with_their_period_end_and_currency(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        trends = [
            trend("0q", "2025-03-31", 2.0, "CNY", analysts=8),
            trend("+1q", "2025-06-30", None, "CNY"),
            trend("0y", "2025-12-31", 10.0, "CNY", analysts=30),
            trend("+1y", "2026-12-31", 12.0, "CNY"),
            trend("+5y", None, 0.1, "CNY"),
        ]
        yahoo.summaries["0700.HK"] = company("0700.HK", 533.5, 9.2e9, "HKD", trends)

        extract = open_source().estimates([TENCENT, HSTECH], Window(FRIDAY, FRIDAY))

        assert extract.failures == []
        assert extract.table.schema == SCHEMAS[Dataset.ESTIMATES]
        rows = extract.table.to_pylist()
        assert [(row["period_label"], row["period_type"], row["period_end"], row["mean"]) for row in rows] == [
            ("0q", "quarter", date(2025, 3, 31), 2.0),
            ("0y", "annual", date(2025, 12, 31), 10.0),
            ("+1y", "annual", date(2026, 12, 31), 12.0),
        ]
        assert rows[1] == {
            "symbol": "0700.HK",
            "as_of": FRIDAY,
            "metric": "eps",
            "period_type": "annual",
            "period_end": date(2025, 12, 31),
            "period_label": "0y",
            "mean": 10.0,
            "low": 9.0,
            "high": 11.0,
            "analyst_count": 30,
            "currency": "CNY",
            "note": "Yahoo quoteSummary earningsTrend",
            "basis_date": date(2025, 3, 8),
        }

    def test_one_bad_period_costs_itself(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        empty = {"avg": 0, "numberOfAnalysts": 0, "earningsCurrency": None}
        trends: list[Any] = [
            {"period": "0q", "endDate": None, "earningsEstimate": empty},
            {"period": "+1q", "endDate": "2025-06-30", "earningsEstimate": {"avg": {}, "numberOfAnalysts": {}}},
            "rubbish",
            {"period": {"raw": 1}, "endDate": [], "earningsEstimate": []},
            trend("0y", None, 10.0, "USD"),
            {"period": "+1y", "endDate": "2026-09-30",
             "earningsEstimate": {"avg": 8.0, "numberOfAnalysts": 1e30, "earningsCurrency": 7}},
            trend("+1y", "2026-09-30", 8.5, "USD"),
        ]  # fmt: skip
        yahoo.summaries["AAPL"] = company("AAPL", 239.07, 15e9, "USD", trends)

        extract = open_source().estimates([APPLE], Window(FRIDAY, FRIDAY))

        assert extract.failures == []
        assert [
            (row["period_label"], row["period_end"], row["mean"], row["currency"]) for row in extract.table.to_pylist()
        ] == [
            ("0y", None, 10.0, "USD"),  # the raw store rejects these two, with a reason
            ("+1y", date(2026, 9, 30), 8.0, None),
            ("+1y", date(2026, 9, 30), 8.5, "USD"),
        ]

    @pytest.mark.parametrize("module", ["price", "earningsTrend", "defaultKeyStatistics"])
    def test_a_malformed_answer_costs_its_symbol_only(
        self, yahoo: YahooStandIn, open_source: OpenSource, module: str
    ) -> None:
        for symbol in ("AAPL", "MSFT"):
            yahoo.summaries[symbol] = company(symbol, 200.0, 1e9, "USD", [trend("0y", "2025-09-30", 7.3, "USD")])
        yahoo.summaries["AAPL"][module] = ["rubbish"]

        for extract in (
            open_source().estimates([APPLE, MICROSOFT], Window(FRIDAY, FRIDAY)),
            open_source().shares([APPLE, MICROSOFT], Window(FRIDAY, FRIDAY)),
        ):
            assert "MSFT" in extract.table["symbol"].to_pylist()

    @pytest.mark.parametrize(
        "modules", [{"earningsTrend": {"trend": []}, "price": {"symbol": "AAPL"}}, {"assetProfile": {}}]
    )
    def test_a_company_that_nobody_covers_is_no_failure(
        self, yahoo: YahooStandIn, open_source: OpenSource, modules: dict[str, Any]
    ) -> None:
        yahoo.summaries["AAPL"] = modules

        extract = open_source().estimates([APPLE], Window(FRIDAY, FRIDAY))

        assert (extract.table.num_rows, extract.failures) == (0, [])

    def test_an_unknown_company_fails_for_good(self, open_source: OpenSource) -> None:
        (failure,) = open_source().estimates([APPLE], Window(FRIDAY, FRIDAY)).failures

        assert failure.is_retryable is False
        assert "Quote not found for symbol: AAPL" in failure.reason

    def test_too_many_requests_once_is_waited_out(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.summaries["AAPL"] = company("AAPL", 239.07, 15e9, "USD", [trend("0y", "2025-09-30", 7.3, "USD")])
        yahoo.break_symbol("AAPL", Fault.RATE_LIMITED, times=2)

        extract = open_source().estimates([APPLE], Window(FRIDAY, FRIDAY))

        assert (extract.table.num_rows, extract.failures) == (1, [])

    def test_a_crumb_of_another_session_is_replaced(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.summaries["AAPL"] = company("AAPL", 239.07, 15e9, "USD", [trend("0y", "2025-09-30", 7.3, "USD")])
        source = open_source()
        YfData()._crumb = "outdated"

        extract = source.estimates([APPLE], Window(FRIDAY, FRIDAY))

        assert (extract.table.num_rows, extract.failures) == (1, [])

    def test_a_backfill_is_refused(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        extract = open_source().estimates([APPLE, TENCENT, NASDAQ], Window(None, date(2025, 1, 31)))

        reason = "Yahoo only gives today's estimates; it has no history, so a backfill of estimates to 2025-01-31 is refused."
        assert [(failure.symbol, failure.reason, failure.is_retryable) for failure in extract.failures] == [
            ("AAPL", reason, False),
            ("0700.HK", reason, False),
        ]
        assert yahoo.requests == []


CHART, CRUMB_PATH = "v8/finance/chart/AAPL", "v1/test/getcrumb"
STORM = (
    "query2.finance.yahoo.com answered 6 requests in a row with 429, too many requests: it is not asked again before "
)


class TestAHostileYahoo:
    """What is repeated, how often and how soon; when the asking stops, and when it begins again. Time is the test's own."""

    @pytest.fixture(autouse=True)
    def _known_time_zone(self, yahoo: YahooStandIn, open_source: OpenSource, fake_time: FakeTime) -> None:
        """yfinance asks for a symbol's time zone once, for good: from then on a chart is one request."""
        open_source().prices([APPLE, TENCENT], WEEK)
        yahoo.requests.clear()
        yahoo.hits.clear()
        fake_time.waits.clear()

    @pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.SERVER_ERROR, Fault.CUT])
    def test_what_passes_is_waited_out_with_growing_random_waits(
        self,
        yahoo: YahooStandIn,
        open_source: OpenSource,
        fake_time: FakeTime,
        fault: Fault,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        windows: list[tuple[float, float]] = []

        def middle(low: float, high: float) -> float:
            windows.append((low, high))
            return (low + high) / 2

        monkeypatch.setattr("tenacity.wait.random.uniform", middle)
        yahoo.break_symbol("AAPL", fault, times=3)

        extract = open_source().prices([APPLE], WEEK)

        assert (extract.failures, extract.table.num_rows, yahoo.requests_of("AAPL")) == ([], 5, 4)
        assert windows == [(0, 3), (0, 6), (0, 12)]
        assert [wait for wait in fake_time.waits if wait > 1.0] == [1.5, 3.0, 6.0]

    def test_silence_is_cut_short_and_asked_again(
        self, yahoo: YahooStandIn, open_source: OpenSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("include.sources.yahoo.session.TIMEOUT_SECONDS", 0.3)
        yahoo.break_symbol("AAPL", Fault.SILENCE, times=1)
        assert open_source().prices([APPLE], WEEK).table.num_rows == 5

        yahoo.break_symbol("AAPL", Fault.SILENCE)
        (failure,) = open_source().prices([APPLE], WEEK).failures

        assert failure.reason == "Yahoo did not answer for AAPL within 15 seconds."
        assert (failure.is_retryable, failure.not_before, yahoo.requests_of("AAPL")) == (True, None, 2 + 4)

    def test_a_connection_that_is_always_cut_fails_in_a_sentence(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.break_symbol("AAPL", Fault.CUT)

        extract = open_source().prices([APPLE, TENCENT], WEEK)

        assert [failure.symbol for failure in extract.failures] == ["AAPL"]
        assert "connection to Yahoo" in extract.failures[0].reason
        assert set(extract.table["symbol"].to_pylist()) == {"0700.HK"}
        assert yahoo.requests_of("AAPL") == 4

    @pytest.mark.parametrize("fault", [Fault.HTML, Fault.EMPTY])
    def test_nonsense_is_not_asked_for_again(self, yahoo: YahooStandIn, open_source: OpenSource, fault: Fault) -> None:
        yahoo.break_symbol("AAPL", fault)
        open_source().prices([APPLE], WEEK)
        assert yahoo.requests_of("AAPL") == 1

    def test_an_unknown_symbol_is_not_asked_for_again(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        open_source().prices([NVIDIA], WEEK)
        assert yahoo.requests_of("NVDA") == 1

    @pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.SERVER_ERROR])
    @pytest.mark.parametrize(
        "headers",
        [
            {"Retry-After": "40"},
            {"Retry-After": "Fri, 07 Mar 2025 22:30:40 GMT", "Date": "Fri, 07 Mar 2025 22:30:00 GMT"},
            # A vendor whose clock is an hour ahead still means 40 seconds.
            {"Retry-After": "Fri, 07 Mar 2025 23:30:40 GMT", "Date": "Fri, 07 Mar 2025 23:30:00 GMT"},
        ],
        ids=["seconds", "date", "date of another clock"],
    )
    def test_the_vendors_own_wait_is_kept(
        self, yahoo: YahooStandIn, open_source: OpenSource, fake_time: FakeTime, fault: Fault, headers: dict[str, str]
    ) -> None:
        yahoo.break_symbol("AAPL", fault, times=1, headers=headers)
        started = fake_time.now()

        extract = open_source().prices([APPLE], WEEK)

        assert (extract.failures, yahoo.requests_of("AAPL")) == ([], 2)
        # One place in the budget for the front page before it; the back-off lies within the 40 seconds.
        assert 40.0 <= fake_time.now() - started <= 43.0

    def test_a_wait_of_an_hour_is_not_waited_for(self, yahoo: YahooStandIn, open_source: OpenSource) -> None:
        yahoo.break_symbol("AAPL", Fault.RATE_LIMITED, headers={"Retry-After": "3600"})

        extract = open_source().prices([APPLE, TENCENT], WEEK)

        apple, tencent = extract.failures
        assert apple.reason == tencent.reason
        assert apple.reason.startswith(
            "query2.finance.yahoo.com answered 429 and asks to be left alone for 3600 seconds (Retry-After): it is not asked again before 2025-03-07 23:30:"
        )
        assert len(yahoo.requests) == 1

    @pytest.mark.parametrize("header", ["soon", "-5", "Fri, 07 Mar 99999999999999999999 12:02:00 GMT"])
    def test_a_wait_that_nobody_can_read_is_a_refusal_like_any_other(
        self, yahoo: YahooStandIn, open_source: OpenSource, header: str
    ) -> None:
        yahoo.break_symbol("*", Fault.RATE_LIMITED, headers={"Retry-After": header})
        extract = open_source().prices([APPLE, TENCENT, TESLA], WEEK)
        assert extract.failures[-1].reason.startswith(STORM)

    def test_a_storm_stops_the_asking_and_says_when_to_come_back(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.break_symbol("*", Fault.RATE_LIMITED)

        extract = open_source().prices([APPLE, TENCENT, TESLA, NVIDIA, MICROSOFT], WEEK)

        assert [failure.symbol for failure in extract.failures] == ["AAPL", "0700.HK", "TSLA", "NVDA", "MSFT"]
        assert "Yahoo answered AAPL with 429, too many requests" in extract.failures[0].reason
        assert {failure.reason for failure in extract.failures[1:]} == {extract.failures[1].reason}
        assert extract.failures[1].reason.startswith(STORM)
        until = extract.failures[1].not_before
        assert until is not None
        assert timedelta(minutes=15) <= until - AFTER_BOTH_CLOSES <= timedelta(minutes=16)
        assert f"before {until:%Y-%m-%d %H:%M:%S} UTC. Run again then" in extract.failures[1].reason
        assert len(yahoo.requests) == 6

    def test_a_later_run_within_the_pause_asks_nothing_at_all(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        yahoo.break_symbol("*", Fault.RATE_LIMITED)
        open_source().prices([APPLE, TENCENT], WEEK)
        yahoo.mend()
        yahoo.hits.clear()

        extract = open_source().prices([APPLE, TENCENT], WEEK)
        estimates = open_source().estimates([APPLE], Window(FRIDAY, FRIDAY))

        assert all(failure.reason.startswith(STORM) for failure in extract.failures + estimates.failures)
        assert len(extract.failures + estimates.failures) == 3
        assert yahoo.hits == []

    def test_after_the_pause_one_request_is_tried_and_all_follow(
        self, yahoo: YahooStandIn, open_source: OpenSource, fake_time: FakeTime
    ) -> None:
        yahoo.break_symbol("*", Fault.RATE_LIMITED)
        open_source().prices([APPLE, TENCENT], WEEK)
        yahoo.requests.clear()
        fake_time.seconds += 15 * 60 + 1

        refused = open_source().prices([APPLE, TENCENT], WEEK)
        assert len(yahoo.requests) == 1, "one request is tried, and none follows a refusal"
        assert all("answered 7 requests in a row" in failure.reason for failure in refused.failures)

        yahoo.mend()
        fake_time.seconds += 15 * 60 + 1
        assert open_source().prices([APPLE, TENCENT], WEEK).failures == []

    def test_refusals_in_a_row_are_counted_anew_after_an_answer(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        for _ in range(3):
            yahoo.break_symbol("AAPL", Fault.RATE_LIMITED, times=3)
            assert open_source().prices([APPLE], WEEK).failures == []

    def test_requests_are_spaced_by_the_budget(
        self, yahoo: YahooStandIn, open_source: OpenSource, fake_time: FakeTime
    ) -> None:
        source, started = open_source(), fake_time.now()
        for _ in range(10):
            source.prices([APPLE], WEEK)
        asked = len([host for host, _ in yahoo.hits if host == "query2.finance.yahoo.com"])
        assert asked == 11, "the front page and ten charts"
        # 60 a minute: the first comes a second after the one before this test.
        assert fake_time.now() - started == pytest.approx(11.0, abs=0.01)

    def test_charts_do_without_a_crumb_and_estimates_say_why_they_cannot(
        self, yahoo: YahooStandIn, open_source: OpenSource
    ) -> None:
        YfData()._cookie = YfData()._crumb = None
        yahoo.break_symbol("crumb", Fault.RATE_LIMITED)

        assert open_source().prices([APPLE, TENCENT, APPLE], WEEK).failures == []
        (failure,) = open_source().estimates([APPLE], Window(FRIDAY, FRIDAY)).failures

        assert failure.reason.startswith(
            "query1.finance.yahoo.com answered 6 requests in a row with 429, too many requests"
        )
        assert len([path for _, path in yahoo.hits if path == CRUMB_PATH]) == 6


def test_without_a_network_it_fails_within_seconds_and_names_the_way_out(open_source: OpenSource) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    started = time.monotonic()

    with pytest.raises(NetworkUnavailableError) as caught:
        open_source(base_url=address).prices([APPLE, TENCENT], WEEK)

    assert time.monotonic() - started < 5
    assert "there seems to be no network" in str(caught.value)
    assert "Check the connection and run again" in str(caught.value)
    assert "sample" not in str(caught.value), "simulated data are no remedy for missing real ones"


def test_nothing_is_kept_in_the_home_folder(yahoo: YahooStandIn, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    program = (
        "from datetime import date\n"
        "from include.seeds.read import load_reference\n"
        "from include.settings import load_settings\n"
        "from include.sources import open_source\n"
        "from include.sources.base import Window\n"
        "settings = load_settings()\n"
        "reference = load_reference(settings.seeds_dir)\n"
        "apple = [s for s in reference.securities if s.symbol == 'AAPL']\n"
        "source = open_source(settings, reference)\n"
        "print(source.prices(apple, Window(date(2025, 3, 3), date(2025, 3, 7))).table.num_rows)\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    settings = {"TITANS_SOURCE": "yahoo", "TITANS_DATA_DIR": str(tmp_path / "data"), "TITANS_YAHOO_BASE_URL": yahoo.url}

    result = subprocess.run(
        [sys.executable, "-c", program], env=environment | settings, capture_output=True, text=True, check=False
    )

    assert (result.stdout.strip(), result.returncode) == ("5", 0), result.stderr
    assert list(home.rglob("*")) == []
    assert (tmp_path / "data" / "yahoo" / "cache" / "tkr-tz.db").exists()


def test_generated_data_satisfies_the_source(yahoo: YahooStandIn, open_source: OpenSource) -> None:
    generate(yahoo, AFTER_BOTH_CLOSES, years=1)
    source = open_source()
    securities = [APPLE, TENCENT, HSTECH]

    prices = source.prices(securities, Window(date(2025, 2, 3), FRIDAY))
    rates = source.fx_rates([USDHKD], WEEK)
    shares = source.shares(securities, Window(FRIDAY, FRIDAY))
    estimates = source.estimates(securities, Window(FRIDAY, FRIDAY + timedelta(days=1)))

    bills = source.risk_free(["USD"], WEEK)

    assert [extract.failures for extract in (prices, rates, shares, estimates, bills)] == [[], [], [], [], []]
    assert bills.table.num_rows == 4
    assert {row["symbol"]: row["date"] for row in prices.table.to_pylist()} == {
        "AAPL": FRIDAY,
        "0700.HK": FRIDAY,
        "HSTECH.HK": FRIDAY,
    }
    assert (rates.table.num_rows, shares.table.num_rows, estimates.table.num_rows) == (4, 2, 8)
