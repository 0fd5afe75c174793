"""The sample source: its anchors, its determinism, and that its figures are plausible where people will look."""

from __future__ import annotations

import csv
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from include.seeds.rows import Security
from include.settings import PROJECT_ROOT
from include.sources.base import (
    DATE_COLUMN,
    KEY_COLUMNS,
    SCHEMAS,
    Coverage,
    CurrencyPair,
    Dataset,
    Extract,
    SymbolFailure,
    Window,
)
from include.sources.sample import SampleSource, facts
from include.sources.sample.paths import bridge, fold, normals
from include.sources.sample.prices import round_to_tick

Rows = list[dict[str, Any]]
History = dict[Dataset, Rows]
Series = dict[str, Rows]

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
LAST = date(2025, 3, 7)
ALL_HISTORY = Window(None, LAST)

# Published closes; some are adjusted for spin-offs.
ANCHORS = """
symbol     2020-12-31 2021-12-31 2022-12-30 2023-12-29 2024-06-28 2024-12-31 2025-01-24 2025-02-28 2025-03-06 2025-03-07
9988.HK    232.2      118.9      86.25      75.6       70.5       82.4       84.75      127.5      140.8      140
0700.HK    521.77     421.1      317.23     293.6      372.4      417        390.6      478.6      544        533.5
1810.HK    33.05      18.9       10.94      15.6       16.48      34.5       36.85      51.85      54.9       54.35
1211.HK    203.21     266.6      192.6      214.4      232        266.6      274.4      371.6      361.6      355.2
0981.HK    22.3       18.66      16.72      19.86      17.12      31.8       41.3       53.6       56.3       54.6
9618.HK    342.2      274        220.2      112.5      103.3      136        155.7      160.6      179        170.1
9999.HK    147.4      157.5      114.5      140.6      149.1      138.3      158.4      154.8      164.3      161.6
AAPL       132.69     177.57     129.93     192.53     210.62     250.42     222.78     241.84     235.33     239.07
MSFT       222.42     336.32     239.82     376.04     446.95     421.5      444.06     396.99     396.89     393.31
GOOGL      87.63      144.85     88.23      139.69     182.15     189.3      200.21     170.28     172.35     173.86
AMZN       162.85     166.72     84         151.94     193.25     219.39     234.85     212.28     200.7      199.25
NVDA       13.06      29.41      14.61      49.52      123.54     134.29     142.62     124.92     110.57     112.69
META       273.16     336.35     120.34     353.96     504.22     585.51     647.49     668.2      627.93     625.66
TSLA       235.22     352.26     123.18     248.48     197.88     403.84     406.58     292.98     263.45     262.67
^NDX       12888.28   16320.08   10939.76   16825.93   19682.87   21012.17   21774.01   20884.41   20052.63   20201.37
^GSPC      3756.07    4766.18    3839.5     4769.83    5460.48    5881.63    6101.24    5954.5     5738.52    5770.2
HSTECH.HK  8425.9     5670.96    4128.79    3764.29    3554.45    4468.11    4657.61    5568.14    6068.77    6037.44
"""
_HEADER, *_LINES = (line.split() for line in ANCHORS.strip().splitlines())
ANCHOR_CLOSES = {
    (line[0], day): float(close) for line in _LINES for day, close in zip(_HEADER[1:], line[1:], strict=True)
}
SYMBOLS = [line[0] for line in _LINES]
INDICES = {"^NDX", "^GSPC", "HSTECH.HK"}
TITANS = ["9988.HK", "0700.HK", "1810.HK", "1211.HK", "0981.HK", "9618.HK", "9999.HK"]
MAGNIFICENT = ["AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA"]
RECORDS = [
    ("^NDX", date(2025, 2, 19), 22175.60),
    ("^GSPC", date(2025, 2, 19), 6144.15),
    ("HSTECH.HK", date(2021, 2, 17), 10945.22),
]
GOOD_FRIDAYS = [date(2021, 4, 2), date(2022, 4, 15), date(2023, 4, 7), date(2024, 3, 29)]

# The values themselves. Each test process has another hash seed, so these also show that the values do not depend on it. They change only
# when the simulation is meant to change, and then every reader's sample figures change too: say so in CHANGELOG.md.
DIGESTS = {
    Dataset.PRICES: "6cd73d4a70a250a0bec87bbd11ae52902f024fdfd860a4335e17a48cb706c3eb",
    Dataset.FX_RATES: "5c7821a53b3b933619f2d29af10b5d21c4617b6e53739da0db61beeefaf8d9e7",
    Dataset.SHARES: "85772b340037518700942565308d58649576cc6f6633a87d5ed0b71b0e2e78a6",
    Dataset.ESTIMATES: "950dcc87062edde42b76a366a1d550adf91e9aaa35aa4ffeeade26aac3dea872",
    Dataset.RISK_FREE: "0a9efd02200c8c651cd18710b356cd4e02ed7a5f87f9f30ce044d88e7d3f557b",
}


def security(symbol: str) -> Security:
    exchange, currency = ("XHKG", "HKD") if symbol.endswith(".HK") or symbol == "^HSI" else ("XNYS", "USD")
    kind = "index" if symbol in {*INDICES, "^HSI"} else "equity"
    return Security.model_validate(
        {"symbol": symbol, "name": symbol, "kind": kind, "exchange": exchange, "currency": currency}
    )


def deliver(source: SampleSource, dataset: Dataset, window: Window) -> Extract:
    if dataset is Dataset.FX_RATES:
        return source.fx_rates([CurrencyPair("USD", "HKD"), CurrencyPair("USD", "CNY")], window)
    if dataset is Dataset.PRICES:
        return source.prices([security(symbol) for symbol in SYMBOLS], window)
    if dataset is Dataset.RISK_FREE:
        return source.risk_free(["HKD", "USD"], window)
    equities = [security(symbol) for symbol in TITANS + MAGNIFICENT]
    return source.shares(equities, window) if dataset is Dataset.SHARES else source.estimates(equities, window)


@pytest.fixture(scope="module")
def source() -> SampleSource:
    return SampleSource(load_reference(SEEDS))


@pytest.fixture(scope="module")
def history(source: SampleSource) -> History:
    """All rows of all datasets."""
    return {dataset: deliver(source, dataset, ALL_HISTORY).table.to_pylist() for dataset in Dataset}


@pytest.fixture(scope="module")
def series(history: History) -> Series:
    """Price rows by symbol, in order."""
    return {symbol: list(rows) for symbol, rows in groupby(history[Dataset.PRICES], key=lambda row: str(row["symbol"]))}


class TestPaths:
    def test_a_bridge_bends_the_walk_between_its_anchors_and_leaves_it_free_outside(self) -> None:
        assert bridge([9.0, 1.0, 1.0, -1.0, -1.0], {0: 10.0, 4: 14.0}) == [10.0, 12.0, 14.0, 14.0, 14.0]
        assert bridge([0.0, 1.0, 2.0, 3.0], {2: 5.0}) == [2.0, 3.0, 5.0, 8.0]

    def test_a_fold_mirrors_at_the_bounds(self) -> None:
        assert [fold(value, 0.0, 10.0) for value in (4.0, 12.0, -3.0, 23.0)] == [4.0, 8.0, 3.0, 3.0]

    def test_draws_follow_from_their_key_alone_and_look_normal(self) -> None:
        draws = [draw for key in range(500) for draw in normals(f"test|{key}", 8)]
        assert normals("test|7", 2) == draws[56:58]
        assert sum(draws) / len(draws) == pytest.approx(0, abs=0.05)
        assert sum(draw**2 for draw in draws) / len(draws) == pytest.approx(1, abs=0.08)

    @pytest.mark.parametrize(
        ("table", "prices", "rounded"),
        [
            ("hkex", [9.996, 10.011, 57.33, 143.26, 521.3], [10.0, 10.02, 57.35, 143.3, 521.5]),
            ("cent", [7.017], [7.02]),
        ],
    )
    def test_a_price_is_rounded_to_the_step_of_its_band(
        self, table: str, prices: list[float], rounded: list[float]
    ) -> None:
        assert [round_to_tick(price, table) for price in prices] == rounded


class TestDeterminism:
    @pytest.mark.parametrize("dataset", list(Dataset))
    def test_values_are_pinned(self, history: History, dataset: Dataset) -> None:
        text = "\n".join("|".join(str(value) for value in row.values()) for row in history[dataset])
        assert sha256(text.encode()).hexdigest() == DIGESTS[dataset]

    @pytest.mark.parametrize("dataset", list(Dataset))
    def test_a_window_holds_its_rows_of_the_whole_history(
        self, source: SampleSource, history: History, dataset: Dataset
    ) -> None:
        first, last = date(2024, 9, 30), date(2024, 12, 31)
        day = DATE_COLUMN[dataset]
        expected = [row for row in history[dataset] if first <= row[day] <= last]
        assert deliver(source, dataset, Window(first, last)).table.to_pylist() == expected

    def test_the_order_and_company_of_symbols_change_nothing(self, source: SampleSource, series: Series) -> None:
        alone = source.prices([security("TSLA"), security("0700.HK")], ALL_HISTORY).table.to_pylist()
        assert alone == series["TSLA"] + series["0700.HK"]

    def test_a_later_end_adds_nothing_after_the_last_simulated_day(self, source: SampleSource) -> None:
        late = source.prices([security("AAPL")], Window(date(2025, 3, 1), date(2026, 1, 1))).table.to_pylist()
        assert [row["date"].day for row in late] == [3, 4, 5, 6, 7]

    def test_a_window_without_data_gives_an_empty_table_of_the_same_schema(self, source: SampleSource) -> None:
        for dataset in Dataset:
            extract = deliver(source, dataset, Window(date(2019, 1, 1), date(2019, 12, 31)))
            assert extract.table.num_rows == 0, dataset
            assert extract.table.schema == SCHEMAS[dataset], dataset

    def test_answers_have_one_fixed_moment_so_that_a_second_run_changes_nothing(self, source: SampleSource) -> None:
        for dataset in Dataset:
            assert deliver(source, dataset, ALL_HISTORY).fetched_at == datetime(2025, 3, 8, tzinfo=UTC), dataset

    def test_a_closure_in_the_calendar_overrides_takes_its_day_and_leaves_other_periods(
        self, project_copy: Path, series: Series
    ) -> None:
        with (project_copy / "seeds" / "calendar_overrides.csv").open("a", encoding="utf-8") as file:
            # The last one is the day of an anchor.
            file.write("XHKG,2022-05-10,false,test\nXHKG,2024-06-28,false,test\n")
        source = SampleSource(load_reference(project_copy / "seeds"))
        rows = source.prices([security("0700.HK")], ALL_HISTORY).table.to_pylist()
        gone = {date(2022, 5, 10), date(2024, 6, 28)}
        assert {row["date"] for row in series["0700.HK"]} - {row["date"] for row in rows} == gone
        untouched = [row for row in series["0700.HK"] if row["date"].year in (2021, 2023, 2025)]
        assert [row for row in rows if row["date"].year in (2021, 2023, 2025)] == untouched


class TestPrices:
    def test_every_published_close_is_met_exactly(self, series: Series) -> None:
        closes = {(symbol, str(row["date"])): row["close"] for symbol, rows in series.items() for row in rows}
        assert len(ANCHOR_CLOSES) == 170
        assert {key: closes.get(key) for key in ANCHOR_CLOSES} == ANCHOR_CLOSES

    @pytest.mark.parametrize(("symbol", "day", "record"), RECORDS)
    def test_no_other_day_reaches_the_record(self, series: Series, symbol: str, day: date, record: float) -> None:
        assert [(row["date"], row["close"]) for row in series[symbol] if row["close"] >= record] == [(day, record)]

    def test_hang_seng_tech_was_last_as_high_as_on_2025_03_06_in_late_2021(self, series: Series) -> None:
        as_high = [row["date"] for row in series["HSTECH.HK"] if row["close"] >= 6068.77]
        assert as_high[-2:] == [date(2021, 12, 9), date(2025, 3, 6)]

    @pytest.mark.parametrize("symbol", SYMBOLS)
    def test_rows_stand_on_the_sessions_of_the_exchange(self, series: Series, symbol: str) -> None:
        calendar = load_calendars(load_reference(SEEDS))[security(symbol).exchange]
        days = [row["date"] for row in series[symbol]]
        assert days == [session.date for session in calendar.between(date(2020, 12, 31), LAST)]
        typhoon, mourning_of_carter = date(2023, 9, 1), date(2025, 1, 9)
        assert (typhoon in days, mourning_of_carter in days) == (
            (False, True) if security(symbol).exchange == "XHKG" else (True, False)
        )

    @pytest.mark.parametrize("symbol", SYMBOLS)
    def test_low_and_high_enclose_open_and_close(self, series: Series, symbol: str) -> None:
        for row in series[symbol]:
            assert 0 < row["low"] <= min(row["open"], row["close"]) <= max(row["open"], row["close"]) <= row["high"], (
                row
            )

    @pytest.mark.parametrize("symbol", SYMBOLS)
    def test_no_day_moves_more_than_a_market_does(self, series: Series, symbol: str) -> None:
        moves = [abs(after["close"] / before["close"] - 1) for before, after in pairwise(series[symbol])]
        assert max(moves) < (0.12 if symbol in INDICES else 0.20)
        assert max(moves) > 0.02

    @pytest.mark.parametrize("symbol", SYMBOLS)
    def test_closes_lie_on_the_price_step_except_published_ones(self, series: Series, symbol: str) -> None:
        table = "hkex" if security(symbol).exchange == "XHKG" and symbol not in INDICES else "cent"
        for row in series[symbol]:
            assert row["date"] in facts.anchors()[symbol] or row["close"] == round_to_tick(row["close"], table), row

    def test_equities_trade_and_indices_do_not(self, series: Series) -> None:
        for symbol, rows in series.items():
            for row in rows:
                assert row["volume"] is None if symbol in INDICES else row["volume"] > 1_000_000, row

    def test_currency_and_basis(self, history: History) -> None:
        assert {row["basis_date"] for row in history[Dataset.PRICES]} == {LAST}
        assert {(row["symbol"].endswith(".HK"), row["currency"]) for row in history[Dataset.PRICES]} == {
            (True, "HKD"),
            (False, "USD"),
        }


class TestCorporateActions:
    def test_splits_stand_on_their_ex_dates(self, history: History) -> None:
        splits = {
            f"{row['symbol']} {row['date']} {row['split_ratio']:g}"
            for row in history[Dataset.PRICES]
            if row["split_ratio"]
        }
        nvidia = {"NVDA 2021-07-20 4", "NVDA 2024-06-10 10"}
        assert splits == {*nvidia, "AMZN 2022-06-06 20", "GOOGL 2022-07-18 20", "TSLA 2022-08-25 3"}

    @pytest.mark.parametrize(
        ("symbol", "day", "dividend", "currency"),
        [
            ("0700.HK", date(2024, 5, 17), 3.4, "HKD"),
            ("9988.HK", date(2023, 12, 20), 0.125, "USD"),
            ("9999.HK", date(2025, 3, 5), 0.244, "USD"),
            ("AAPL", date(2025, 2, 10), 0.25, "USD"),
            ("NVDA", date(2021, 6, 9), 0.004, "USD"),  # 0.16 declared, 4:1 and 10:1 after it
            ("NVDA", date(2024, 3, 5), 0.004, "USD"),  # 0.04 declared, 10:1 after it
            ("NVDA", date(2024, 6, 11), 0.01, "USD"),
        ],
    )
    def test_dividends_are_in_their_declared_currency_and_adjusted_for_later_splits(
        self, series: Series, symbol: str, day: date, dividend: float, currency: str
    ) -> None:
        row = next(row for row in series[symbol] if row["date"] == day)
        assert (row["dividend"], row["dividend_currency"]) == (pytest.approx(dividend), currency)

    def test_every_listed_event_stands_on_its_own_date(self, history: History) -> None:
        with (facts.TABLES_DIR / "dividends.csv").open(newline="", encoding="utf-8") as file:
            listed = {(row["symbol"], row["ex_date"]) for row in csv.DictReader(file)}
        paid = {(row["symbol"], str(row["date"])) for row in history[Dataset.PRICES] if row["dividend"] is not None}
        assert paid == listed
        assert {*TITANS, *MAGNIFICENT} - {symbol for symbol, _ in paid} == {"1810.HK", "0981.HK", "AMZN", "TSLA"}


class TestFxRates:
    @pytest.mark.parametrize(("quote", "rates"), [("HKD", [7.766, 7.773, 7.770]), ("CNY", [7.299, 7.248, 7.236])])
    def test_reference_rates_are_met(self, history: History, quote: str, rates: list[float]) -> None:
        by_day = {row["date"]: row["rate"] for row in history[Dataset.FX_RATES] if row["quote_currency"] == quote}
        assert [by_day[day] for day in (date(2024, 12, 31), date(2025, 3, 6), date(2025, 3, 7))] == rates

    def test_fixings_are_the_weekdays_without_holidays(self, history: History) -> None:
        days = [row["date"] for row in history[Dataset.FX_RATES] if row["quote_currency"] == "HKD"]
        assert days == [row["date"] for row in history[Dataset.FX_RATES] if row["quote_currency"] == "CNY"]
        span = [date(2020, 12, 31) + timedelta(offset) for offset in range((LAST - date(2020, 12, 31)).days + 1)]
        # Good Friday and Easter Monday move; the others are Christmas, Boxing Day, New Year's Day and Labour Day.
        easter = set(GOOD_FRIDAYS) | {day + timedelta(3) for day in GOOD_FRIDAYS}
        fixed = {(12, 25), (12, 26), (1, 1), (5, 1)}
        assert days == [
            day for day in span if day.isoweekday() <= 5 and day not in easter and (day.month, day.day) not in fixed
        ]

    def test_the_hong_kong_dollar_stays_in_its_band(self, history: History) -> None:
        assert all(7.75 <= row["rate"] <= 7.85 for row in history[Dataset.FX_RATES] if row["quote_currency"] == "HKD")


class TestSharesAndEstimates:
    def test_share_counts_come_every_quarter_for_every_company(self, history: History) -> None:
        ends = ((3, 31), (6, 30), (9, 30), (12, 31))
        quarter_ends = [date(2020, 12, 31)] + [date(year, *end) for year in range(2021, 2025) for end in ends]
        for symbol in TITANS + MAGNIFICENT:
            rows = [row for row in history[Dataset.SHARES] if row["symbol"] == symbol]
            assert [row["as_of"] for row in rows] == quarter_ends, symbol
            changes = [
                after["shares_outstanding"] / before["shares_outstanding"] - 1 for before, after in pairwise(rows)
            ]
            assert max(map(abs, changes)) < 0.03, symbol
            assert {(row["note"], row["basis_date"]) for row in rows} == {("simulated", LAST)}, symbol
        assert history[Dataset.SHARES][16]["shares_outstanding"] == 19_008_000_000  # Alibaba, 2024-12-31

    def test_estimates_come_every_monday_for_the_running_and_the_next_fiscal_year(self, history: History) -> None:
        mondays = [date(2021, 1, 4) + timedelta(weeks=week) for week in range(218)]
        expected = [(day, label) for day in mondays for label in ("0y", "+1y")]
        for symbol in TITANS + MAGNIFICENT:
            rows = [row for row in history[Dataset.ESTIMATES] if row["symbol"] == symbol]
            assert [(row["as_of"], row["period_label"]) for row in rows] == expected, symbol

    @pytest.mark.parametrize(
        ("symbol", "as_of", "years"),
        [
            ("9988.HK", "2025-03-03", ["2025-03-31", "2026-03-31"]),
            ("AAPL", "2024-09-30", ["2024-09-30", "2025-09-30"]),
            ("AAPL", "2024-10-07", ["2025-09-30", "2026-09-30"]),
            ("MSFT", "2025-03-03", ["2025-06-30", "2026-06-30"]),
            ("NVDA", "2025-01-27", ["2025-01-31", "2026-01-31"]),
            ("NVDA", "2025-02-03", ["2026-01-31", "2027-01-31"]),
            ("0700.HK", "2025-01-06", ["2025-12-31", "2026-12-31"]),
        ],
    )
    def test_years_roll_over_after_the_fiscal_year_end(
        self, history: History, symbol: str, as_of: str, years: list[str]
    ) -> None:
        rows = [row for row in history[Dataset.ESTIMATES] if (row["symbol"], str(row["as_of"])) == (symbol, as_of)]
        assert [str(row["period_end"]) for row in rows] == years

    def test_estimates_are_ordered_and_in_the_currency_of_the_reports(self, history: History) -> None:
        rows = history[Dataset.ESTIMATES]
        assert [row for row in rows if not 0 < row["low"] < row["mean"] < row["high"] or row["analyst_count"] < 5] == []
        currencies = {row["symbol"]: row["currency"] for row in rows}
        assert currencies == dict.fromkeys(TITANS, "CNY") | dict.fromkeys([*MAGNIFICENT, "0981.HK"], "USD")
        constants = {(row["metric"], row["period_type"], row["note"], row["basis_date"]) for row in rows}
        assert constants == {("eps", "annual", "simulated", LAST)}


class Valuation:
    """Forward P/E by plain arithmetic on the delivered rows: the last value on or before a day of each input."""

    def __init__(self, history: History) -> None:
        self.values: dict[tuple[str, str], list[tuple[date, Any]]] = {}
        for row in history[Dataset.PRICES]:
            self.values.setdefault(("close", row["symbol"]), []).append((row["date"], row["close"]))
        for row in history[Dataset.FX_RATES]:
            self.values.setdefault(("fx", row["quote_currency"]), []).append((row["date"], row["rate"]))
        for row in history[Dataset.SHARES]:
            self.values.setdefault(("shares", row["symbol"]), []).append((row["as_of"], row["shares_outstanding"]))
        for (symbol, as_of), rows in groupby(history[Dataset.ESTIMATES], key=lambda row: (row["symbol"], row["as_of"])):
            self.values.setdefault(("eps", symbol), []).append((as_of, list(rows)))

    def at(self, day: date, quantity: str, key: str) -> Any:
        rows = self.values[quantity, key]
        return rows[bisect_right(rows, day, key=lambda row: row[0]) - 1][1]

    def company(self, symbol: str, day: date) -> tuple[float, float]:
        """Market value and next-twelve-months earnings, both in the trading currency."""
        first, *second = (row for row in self.at(day, "eps", symbol) if row["period_end"] >= day)
        weight = (first["period_end"] - day).days / 365
        # In the days between a fiscal year end and the next snapshot there is no second year yet.
        eps = weight * first["mean"] + (1 - weight) * second[0]["mean"] if second else first["mean"]
        trading = "HKD" if symbol.endswith(".HK") else "USD"
        rate = {"USD": 1.0, "HKD": self.at(day, "fx", "HKD"), "CNY": self.at(day, "fx", "CNY")}
        shares = self.at(day, "shares", symbol)
        return self.at(day, "close", symbol) * shares, eps / rate[first["currency"]] * rate[trading] * shares

    def forward_pe(self, basket: list[str], day: date) -> float:
        members = [self.company(symbol, day) for symbol in basket]
        return sum(value for value, _ in members) / sum(earnings for _, earnings in members)


@pytest.fixture(scope="module")
def valuation(history: History) -> Valuation:
    return Valuation(history)


class TestForwardValuation:
    def test_titans_trade_near_18_times_forward_earnings_at_the_end_of_february_2025(
        self, valuation: Valuation
    ) -> None:
        assert 17.6 <= valuation.forward_pe(TITANS, date(2025, 2, 28)) <= 18.4

    def test_their_discount_to_the_magnificent_seven_is_more_than_40_percent(self, valuation: Valuation) -> None:
        day = date(2025, 2, 28)
        discount = 1 - valuation.forward_pe(TITANS, day) / valuation.forward_pe(MAGNIFICENT, day)
        assert 0.41 <= discount <= 0.46

    @pytest.mark.parametrize("basket", [TITANS, MAGNIFICENT], ids=["titans", "magnificent"])
    def test_forward_pe_is_plausible_on_every_day(self, valuation: Valuation, basket: list[str]) -> None:
        days = [date(2021, 1, 4) + timedelta(offset) for offset in range((LAST - date(2021, 1, 4)).days + 1)]
        implausible = {str(day): pe for day in days if not 8 <= (pe := valuation.forward_pe(basket, day)) <= 60}
        assert implausible == {}


class TestProtocol:
    def test_coverage_names_the_simulated_days(self, source: SampleSource) -> None:
        simulated = Coverage(date(2020, 12, 31), LAST)
        assert (source.coverage(), source.coverage(["TSM", "AAPL"]), source.coverage(["TSM"])) == (
            simulated,
            simulated,
            None,
        )

    @pytest.mark.parametrize("dataset", list(Dataset))
    def test_keys_are_unique_and_schemas_fixed(self, source: SampleSource, history: History, dataset: Dataset) -> None:
        seen = [tuple(row[name] for name in KEY_COLUMNS[dataset]) for row in history[dataset]]
        assert len(seen) == len(set(seen))
        assert deliver(source, dataset, ALL_HISTORY).table.schema == SCHEMAS[dataset]

    def test_a_symbol_that_is_not_simulated_fails_alone_and_says_what_to_do(self, source: SampleSource) -> None:
        extract = source.prices([security("TSM"), security("AAPL")], Window(LAST, LAST))
        assert extract.table.column("symbol").to_pylist() == ["AAPL"]
        reason = "the sample source simulates 17 symbols and TSM is not one of them: use SOURCE=files or SOURCE=yahoo"
        assert extract.failures == [SymbolFailure("TSM", reason, is_retryable=False)]

    def test_risk_free_rates_are_simulated_of_two_currencies_and_say_so(self, source: SampleSource) -> None:
        assert source.offered(Dataset.RISK_FREE, ["CNY", "HKD", "USD"]) == ["HKD", "USD"]
        rows = source.risk_free(["HKD", "USD"], Window(LAST, LAST)).table.to_pylist()
        assert [(row["currency"], row["tenor"], row["quote_basis"], row["note"]) for row in rows] == [
            ("HKD", "3m", "yield", "simulated"),
            ("USD", "13w", "discount", "simulated"),
        ]

    def test_risk_free_rates_rose_with_the_federal_funds_rate(self, history: History) -> None:
        """US bills yielded next to nothing in 2021 and about 5% in 2023."""
        of_year = {
            year: [row["rate"] for row in history[Dataset.RISK_FREE] if row["date"].year == year]
            for year in (2021, 2023)
        }
        assert 0 <= min(of_year[2021]) <= max(of_year[2021]) < 0.01
        assert 0.03 < min(of_year[2023]) <= max(of_year[2023]) < 0.06

    def test_share_counts_and_estimates_fail_in_their_own_words(self, source: SampleSource) -> None:
        for deliver_one, what in ((source.shares, "share counts"), (source.estimates, "estimates")):
            (failure,) = deliver_one([security("^NDX")], ALL_HISTORY).failures
            assert failure.reason.startswith(
                f"the sample source simulates {what} of 14 symbols and ^NDX is not one of them"
            )

    def test_an_unknown_currency_pair_fails_alone(self, source: SampleSource) -> None:
        extract = source.fx_rates([CurrencyPair("USD", "JPY"), CurrencyPair("USD", "HKD")], Window(LAST, LAST))
        assert extract.table.column("quote_currency").to_pylist() == ["HKD"]
        assert [(failure.symbol, failure.is_retryable) for failure in extract.failures] == [("USDJPY", False)]
        assert "simulates 2 currency pairs" in extract.failures[0].reason

    def test_the_hang_seng_index_is_left_out_without_a_failure(self, source: SampleSource) -> None:
        extract = source.prices([security("^HSI")], ALL_HISTORY)
        assert (extract.table.num_rows, extract.failures) == (0, [])
