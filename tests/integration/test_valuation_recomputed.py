"""The valuation marts computed a second way, in plain Python on the raw inputs, to a relative 1e-9: on real prices, the sample and a drawn world.

It is written from the words of the methods (README and docs/DECISIONS.md), session by session and member by member, and shares no code with the models.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import pytest

from include.runs.records import RunRecord, run_records
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from include.sources.base import CurrencyPair, Window
from include.sources.sample import SampleSource
from tests.integration.valuation_world import BASKETS, LAST, MOVED_ON, write_world
from tests.pipeline import THOROUGH, ask, copy_project, run_without_airflow
from titans.commands.status import status_lines

TOLERANCE = 1e-9
MINOR_UNITS = {"GBp": ("GBP", 100)}
TITANS = ["9988.HK", "0700.HK", "1810.HK", "1211.HK", "0981.HK", "9618.HK", "9999.HK"]
MAG7 = ["AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA"]
HORIZONS = (7, 30, 90)
WORLD_SEED = 20250307


@dataclass
class Quote:
    """One security on one of its sessions."""

    close: float
    sessions_missed: int
    estimate_as_of: date | None = None
    year_end: date | None = None
    eps_fy1: float | None = None
    eps_fy2: float | None = None
    weight: float | None = None
    is_transition_year: bool | None = None
    method: str | None = None
    eps_ntm: float | None = None


@dataclass
class Inputs:
    """What a vendor delivered, by symbol: closes by day, counts and snapshots by ``as_of``, rates by currency and day; ``sessions`` from the first price on."""

    currency: dict[str, str]
    sessions: dict[str, list[date]]
    closes: dict[str, dict[date, float]] = field(default_factory=lambda: defaultdict(dict))
    rates: dict[str, dict[date, float]] = field(default_factory=lambda: defaultdict(dict))
    counts: dict[str, dict[date, float]] = field(default_factory=lambda: defaultdict(dict))
    years: dict[str, dict[date, dict[date, tuple[float, str]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )
    means: dict[tuple[str, str, date], dict[date, tuple[float, str]]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def read(cls, settings: Settings, frames: dict[str, pd.DataFrame]) -> Inputs:
        """Raw tables, and of the published file only which days are sessions: calendars have tests of their own."""
        sessions: dict[str, list[date]] = defaultdict(list)
        for symbol, day in ask(settings, "select symbol, date from marts.fct_security_daily order by all"):
            sessions[symbol].append(day)
        inputs = cls({row.symbol: row.currency for row in load_reference(settings.seeds_dir).securities}, sessions)
        for row in frames["prices"].itertuples():
            inputs.closes[row.symbol][_day(row.date)] = row.close
        for row in frames["fx_rates"].itertuples():
            inputs.rates[row.quote_currency][_day(row.date)] = row.rate
        for row in frames["shares"].itertuples():
            if row.shares_outstanding > 0:
                inputs.counts[row.symbol][_day(row.as_of)] = row.shares_outstanding
        for row in frames["estimates"].itertuples():
            if _day(row.as_of) <= LAST + timedelta(days=1):
                label = getattr(row, "period", None) or row.period_label
                inputs.means[row.symbol, label[-1], _day(row.period_end)][_day(row.as_of)] = (row.mean, row.currency)
                if label.endswith("y"):
                    inputs.years[row.symbol][_day(row.as_of)][_day(row.period_end)] = (row.mean, row.currency)
        return inputs

    def per_dollar(self, currency: str, day: date) -> float | None:
        major, units = MINOR_UNITS.get(currency, (currency, 1))
        if major == "USD":
            return 1.0 * units
        for age in range(8):
            if (rate := self.rates[major].get(day - timedelta(days=age))) is not None:
                return rate * units
        return None

    def convert(self, amount: float, currency: str, to: str, day: date) -> float | None:
        rates = self.per_dollar(currency, day), self.per_dollar(to, day)
        return None if None in rates else amount / rates[0] * rates[1]  # type: ignore[operator]  # neither is None here

    def count(self, symbol: str, day: date) -> float | None:
        """The last count up to the day; before the first, that one."""
        days = sorted(self.counts[symbol])
        return self.counts[symbol][days[max(0, bisect_right(days, day) - 1)]] if days else None

    @cached_property
    def transitions(self) -> dict[str, set[date]]:
        """Fiscal year ends that, when first named, do not lie whole years from the one before."""
        found: dict[str, set[date]] = defaultdict(set)
        for symbol, snapshots in self.years.items():
            named: set[date] = set()
            first_before: date | None = None
            for _, years in sorted(snapshots.items()):
                ends = sorted(years)
                for before, end in zip([first_before, *ends], ends, strict=False):
                    is_whole = before is None or any(abs((end - before).days - 365.25 * n) <= 15 for n in range(-9, 10))
                    if end not in named and not is_whole:
                        found[symbol].add(end)
                named |= set(ends)
                first_before = ends[0]
        return found

    @cached_property
    def quotes(self) -> dict[str, dict[date, Quote]]:
        return {symbol: dict(self._quotes(symbol)) for symbol in self.sessions}

    def _quotes(self, symbol: str) -> Iterator[tuple[date, Quote]]:
        close, missed = math.nan, 0
        for day in self.sessions[symbol]:
            own = self.closes[symbol].get(day)
            close, missed = (close, missed + 1) if own is None else (own, 0)
            quote = Quote(close, missed)
            self._estimate(symbol, day, quote)
            yield day, quote

    def _estimate(self, symbol: str, day: date, quote: Quote) -> None:
        as_of = max((taken for taken in self.years[symbol] if taken <= day), default=None)
        if as_of is None or (day - as_of).days > 100:
            return
        years = self.years[symbol][as_of]
        ahead = sorted(end for end in years if end >= day)
        if not ahead or (ahead[0] - day).days > 380:
            return
        end, own = ahead[0], self.currency[symbol]
        quote.estimate_as_of, quote.year_end = as_of, end
        quote.weight = min(1.0, (end - day).days / 365)
        quote.is_transition_year = end in self.transitions[symbol]
        quote.eps_fy1 = self.convert(*years[end], own, day)
        if len(ahead) > 1 and 350 <= (ahead[1] - end).days <= 380:
            quote.eps_fy2 = self.convert(*years[ahead[1]], own, day)
        if quote.eps_fy1 is None or quote.is_transition_year:
            return
        if quote.eps_fy2 is not None:
            quote.method, quote.eps_ntm = "weighted", quote.weight * quote.eps_fy1 + (1 - quote.weight) * quote.eps_fy2
        elif quote.weight >= 0.5:
            quote.method, quote.eps_ntm = "fy1_only", quote.eps_fy1

    def revision(
        self, symbol: str, kind: str, end: date, as_of: date, days: int
    ) -> tuple[float, float | None, date] | None:
        """Change, ratio and day of the base."""
        series = self.means[symbol, kind, end]
        base = max((taken for taken in series if taken <= as_of - timedelta(days=days)), default=None)
        if base is None or (as_of - base).days > days + 10 or series[base][1] != series[as_of][1]:
            return None
        before, after = series[base][0], series[as_of][0]
        return after - before, (after - before) / abs(before) if before else None, base

    def basket(self, weights: dict[str, float], day: date) -> dict[str, float | None]:
        """One day of a basket: value and earnings of each priced member, then the five P/Es of them.

        Args:
            weights: of the members at the close.
        """
        values: dict[str, float | None] = {}
        yields: dict[str, float] = {}
        directions: dict[int, list[int]] = {days: [] for days in HORIZONS}
        for symbol in sorted(weights):
            session = self.sessions[symbol][bisect_right(self.sessions[symbol], day) - 1]
            quote, count = self.quotes[symbol][session], self.count(symbol, day)
            if quote.sessions_missed > 5:
                continue
            values[symbol] = (
                None if count is None else self.convert(quote.close * count, self.currency[symbol], "USD", day)
            )
            if quote.eps_ntm is not None:
                yields[symbol] = quote.eps_ntm / quote.close
            for days in HORIZONS:
                if (
                    quote.estimate_as_of
                    and quote.year_end
                    and (told := self.revision(symbol, "y", quote.year_end, quote.estimate_as_of, days))
                ):
                    directions[days].append((told[0] > 0) - (told[0] < 0))
        covered = [
            (value, yields[symbol]) for symbol, value in values.items() if symbol in yields and value is not None
        ]
        winners = [(value, each) for value, each in covered if each > 0]
        middle = median([1 / each if each > 0 else math.inf for each in yields.values()]) if yields else math.inf
        total = None if None in values.values() else sum(value for value in values.values() if value)
        mean_yield = sum(yields.values()) / len(yields) if yields else 0.0
        covered_weight = sum(weights[symbol] for symbol in yields)
        earned = sum(weights[symbol] * each for symbol, each in yields.items())
        basket_yield = earned / covered_weight if covered_weight else 0.0
        return {
            "forward_pe_aggregate": _aggregate(covered),
            "forward_pe_aggregate_profitable": _aggregate(winners),
            "forward_pe_equal_weight": 1 / mean_yield if mean_yield > 0 else None,
            "forward_pe_basket_weighted": 1 / basket_yield if basket_yield > 0 else None,
            "weight_covered": covered_weight / sum(weights[symbol] for symbol in values) if values else None,
            "forward_pe_median": middle if math.isfinite(middle) else None,
            "members": len(weights),
            "members_priced": len(values),
            "members_covered": len(yields),
            "coverage_ratio": sum(value for value, _ in covered) / total if total else None,
            "loss_makers": sum(each <= 0 for each in yields.values()),
            **{
                f"revision_breadth_{days}d": sum(each) / len(each) if each else None
                for days, each in directions.items()
            },
            **{f"revision_members_{days}d": len(each) for days, each in directions.items()},
        }


def _aggregate(members: list[tuple[float, float]]) -> float | None:
    earnings = sum(value * each for value, each in members)
    return sum(value for value, _ in members) / earnings if earnings > 0 else None


def _day(value: Any) -> date:
    return date.fromisoformat(str(value)[:10])


def read_csvs(folder: Path) -> dict[str, pd.DataFrame]:
    names = ("prices", "fx_rates", "shares", "estimates")
    return {name: pd.read_csv(folder / f"{name}.csv") for name in names}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The drawn world, built once; its folder of files is beside the data."""
    if not THOROUGH:
        pytest.skip("it takes a whole build of its own: make verify plays it")
    root = tmp_path_factory.mktemp("world")
    project = copy_project(root / "dbt_project")
    write_world(root / "files", project / "seeds", WORLD_SEED)
    settings = load_settings(
        source="files", files_dir=str(root / "files"), exported_at="2025-03-08", data_dir=str(root / "data")
    )
    settings = settings.model_copy(update={"dbt_project_dir": project})
    run_without_airflow(settings)
    return settings


@pytest.fixture(scope="module", params=["world", "real", "sample"])
def store(request: pytest.FixtureRequest) -> tuple[Settings, Inputs, dict[str, list[str]]]:
    """A published store, what its vendor delivered, and its baskets."""
    if request.param == "world":
        settings: Settings = request.getfixturevalue("world")
        assert settings.files_dir
        return settings, Inputs.read(settings, read_csvs(settings.files_dir)), BASKETS
    baskets = {"china_titans": TITANS, "magnificent_seven": MAG7}
    if request.param == "real":
        settings, market_data = request.getfixturevalue("built_real_store"), request.getfixturevalue("market_data")
        inputs = Inputs.read(settings, read_csvs(market_data))
        for row in pd.read_csv(market_data / "official_closes.csv").itertuples():
            if row.confirmed:
                inputs.closes[row.symbol][_day(row.date)] = row.close
        return settings, inputs, baskets
    settings = request.getfixturevalue("built_sample_store")
    reference = load_reference(settings.seeds_dir)
    source, window = SampleSource(reference), Window(None, LAST)
    equities = [row for row in reference.securities if row.kind == "equity"]
    pairs = [CurrencyPair("USD", "CNY"), CurrencyPair("USD", "HKD")]
    frames = {
        "prices": source.prices(equities, window).table.to_pandas(),
        "fx_rates": source.fx_rates(pairs, window).table.to_pandas(),
        "shares": source.shares(equities, window).table.to_pandas(),
        "estimates": source.estimates(equities, window).table.to_pandas(),
    }
    return settings, Inputs.read(settings, frames), baskets


Store = tuple[Settings, Inputs, dict[str, list[str]]]


def assert_same(actual: Any, expected: Any, where: object) -> None:
    if isinstance(expected, float) and actual is not None:
        assert actual == pytest.approx(expected, rel=TOLERANCE, abs=1e-12), where
    else:
        assert actual == expected, where


def test_every_session_of_every_security(store: Store) -> None:
    settings, inputs, _ = store
    rows = ask(
        settings,
        "select symbol, date, close, eps_fy1, eps_fy2, eps_ntm, fy1_period_end, fy1_weight, is_transition_year, ntm_method, estimate_as_of, "
        "estimate_age_days, forward_pe, is_loss_maker from marts.fct_security_valuation_daily",
    )
    assert len(rows) == sum(len(days) for days in inputs.sessions.values()) > 1000
    for symbol, day, *actual in rows:
        quote = inputs.quotes[symbol][day]
        ntm = quote.eps_ntm
        expected = [
            quote.close, quote.eps_fy1, quote.eps_fy2, ntm, quote.year_end, quote.weight, quote.is_transition_year, quote.method,
            quote.estimate_as_of, (day - quote.estimate_as_of).days if quote.estimate_as_of else None,
            quote.close / ntm if ntm and ntm > 0 else None, ntm <= 0 if ntm is not None else None,
        ]  # fmt: skip
        for value, wanted in zip(actual, expected, strict=True):
            assert_same(value, wanted, (symbol, day))


def test_every_day_of_every_basket(store: Store) -> None:
    """At the weights of the mart, which ``test_baskets_recomputed.py`` computes share by share; local ones before there are dollars."""
    settings, inputs, baskets = store
    weights: dict[tuple[str, date], dict[str, float]] = defaultdict(dict)
    for basket, day, symbol, weight in ask(
        settings,
        "select basket_id, date, symbol, coalesce(max(weight_close) filter (where currency_basis = 'usd'), max(weight_close)) "
        "from marts.fct_basket_member_daily where return_type = 'price' group by all having max(weight_close) > 0",
    ):
        weights[basket, day][symbol] = weight
    for basket, members in baskets.items():
        expected_columns = list(inputs.basket(weights[basket, LAST], LAST))
        rows = ask(
            settings,
            f"select date, {', '.join(expected_columns)} from marts.fct_basket_valuation_daily where basket_id = ? order by date",
            [basket],
        )
        assert len(rows) > 300
        for day, *actual in rows:
            assert set(weights[basket, day]) == set(members)
            expected = inputs.basket(weights[basket, day], day)
            for (name, wanted), value in zip(expected.items(), actual, strict=True):
                assert_same(value, float(wanted) if isinstance(wanted, float) else wanted, (basket, day, name))


def test_every_revision(store: Store) -> None:
    settings, inputs, _ = store
    columns = ", ".join(f"change_{days}d, revision_{days}d, base_as_of_{days}d" for days in HORIZONS)
    rows = ask(
        settings,
        f"select symbol, left(period_type, 1), period_end, as_of, mean, currency, {columns} from marts.fct_estimate_revisions",
    )
    assert len(rows) == sum(len(series) for series in inputs.means.values())
    for symbol, kind, end, as_of, mean, currency, *actual in rows:
        label = {"a": "y", "q": "q"}[kind]
        assert (mean, currency) == (
            pytest.approx(inputs.means[symbol, label, end][as_of][0], rel=TOLERANCE),
            inputs.means[symbol, label, end][as_of][1],
        )
        expected = [
            part
            for days in HORIZONS
            for part in (inputs.revision(symbol, label, end, as_of, days) or (None, None, None))
        ]
        for value, wanted in zip(actual, expected, strict=True):
            assert_same(value, wanted, (symbol, as_of, end))


def test_the_sample_has_revisions_to_see(built_sample_store: Settings) -> None:
    ((changes, ups, downs),) = ask(
        built_sample_store,
        "select count(change_90d), count(*) filter (where change_90d > 0), count(*) filter (where change_90d < 0) from marts.fct_estimate_revisions",
    )
    assert changes > 1000
    assert min(ups, downs) > 0.2 * changes
    rows = ask(
        built_sample_store,
        "select basket_id, revision_members_30d, revision_breadth_30d between -1 and 1 from marts.fct_basket_valuation_daily where date = '2025-03-07' order by 1",
    )
    assert rows == [("china_titans", 7, True), ("magnificent_seven", 7, True)]


class TestWorld:
    """That the drawn world holds what it is there for, and what is set in it by hand."""

    def test_every_kind_of_day_occurs(self, world: Settings) -> None:
        ((weighted, only, none, losses, transition, unconverted),) = ask(
            world,
            "select count(*) filter (where ntm_method = 'weighted'), count(*) filter (where ntm_method = 'fy1_only'), "
            "count(*) filter (where ntm_method is null), count(*) filter (where is_loss_maker), count(*) filter (where is_transition_year), "
            "count(*) filter (where fy1_period_end is not null and eps_fy1 is null and currency = 'HKD') from marts.fct_security_valuation_daily",
        )
        assert min(weighted, only, none, losses, transition) >= 20
        assert unconverted > 0
        ((negative, half_covered, unpriced, no_median, uncounted),) = ask(
            world,
            "select count(*) filter (where forward_pe_aggregate is null and members_covered > 0), count(*) filter (where coverage_ratio between 0.2 and 0.9), "
            "count(*) filter (where members_priced < members), count(*) filter (where forward_pe_median is null and members_covered > 1), "
            "count(*) filter (where coverage_ratio is null) from marts.fct_basket_valuation_daily",
        )
        assert min(negative, half_covered, unpriced, no_median, uncounted) > 0
        ((no_ratio, up, down),) = ask(
            world,
            "select count(*) filter (where change_7d is not null and revision_7d is null), count(*) filter (where revision_7d > 0 and mean < 0), "
            "count(*) filter (where revision_7d < 0) from marts.fct_estimate_revisions",
        )
        assert min(no_ratio, up, down) > 0

    def test_a_price_in_pence_is_worth_pounds(self, world: Settings) -> None:
        """500 pence are 5 pounds, at 0.8 a dollar 6.25 dollars; a million shares are 6.25 million."""
        rows = ask(
            world,
            "select close, currency, close_usd, market_value_usd from marts.fct_security_daily where symbol = 'PENCE.L' and date = ?",
            [LAST],
        )
        assert rows == [(500.0, "GBp", pytest.approx(6.25), pytest.approx(6.25e6))]
        rows = ask(
            world,
            "select market_value_usd from marts.fct_basket_market_value_daily where basket_id = 'sterling' and date = ?",
            [LAST],
        )
        assert rows == [(pytest.approx(6.25e6),)]

    def test_dividends_in_pence_and_in_pounds_reinvest_alike(self, world: Settings) -> None:
        """20 pence on 400, then 0.1 pounds on 400, then 400 to 500: 1.05 * 1.025 * 1.25."""
        ((index,),) = ask(
            world,
            "select total_return_index from marts.fct_security_daily where symbol = 'PENCE.L' and date = ?",
            [LAST],
        )
        assert index == pytest.approx(100 * 1.05 * 1.025 * 1.25, rel=TOLERANCE)
        rows = ask(
            world,
            "select value, currency, value_in_price_currency from marts.fct_corporate_actions where symbol = 'PENCE.L' order by date",
        )
        assert rows == [(20.0, "GBp", 20.0), (0.1, "GBP", pytest.approx(10.0))]

    def test_estimates_in_pounds_and_in_pence_value_alike(self, world: Settings) -> None:
        """299 days of 2025 are left: 299/365 of 25 pence and the rest of 40."""
        ntm = 299 / 365 * 25 + 66 / 365 * 40
        rows = ask(
            world,
            "select symbol, eps_fy1, eps_ntm, forward_pe from marts.fct_security_valuation_daily where symbol like 'PEN%' and date = ? order by 1",
            [LAST],
        )
        assert rows == [
            ("PENCE.L", pytest.approx(25.0), pytest.approx(ntm), pytest.approx(500 / ntm)),
            ("PENNY.L", pytest.approx(25.0), pytest.approx(ntm), pytest.approx(8 / ntm)),
        ]

    def test_rates_are_fetched_of_major_currencies_only(self, world: Settings) -> None:
        assert ask(world, "select distinct currency_pair from marts.fct_fx_daily order by 1") == [
            ("USDCNY",),
            ("USDGBP",),
            ("USDHKD",),
        ]


class TestBadInput:
    """Each is refused or flagged with the row named, in the record of the build and in ``make status``."""

    @pytest.fixture
    def record(self, world: Settings) -> RunRecord:
        return run_records(world.store, "build_marts")[-1]

    @pytest.fixture
    def status(self, world: Settings) -> dict[str, str]:
        return dict(status_lines(world, datetime.now(UTC)))

    @pytest.mark.parametrize(
        ("symbol", "day", "reason"),
        [("US1", "2024-09-30", "share count is not above zero"), ("US2", "2031-01-01", "future date")],
        ids=["negative shares", "estimate from the future"],
    )
    def test_rows_are_rejected(
        self, world: Settings, status: dict[str, str], symbol: str, day: str, reason: str
    ) -> None:
        assert ask(
            world, "select symbol, date::varchar, reasons from ops.rejected_rows where symbol = ?", [symbol]
        ) == [(symbol, day, reason)]
        assert f"{reason}: 1 ({symbol} {day})" in status["Rejected"]

    @pytest.mark.parametrize(
        ("symbol", "row"),
        [("US1", "2024-09-30 (share count is not above zero)"), ("US2", "2031-01-01 (future date)")],
        ids=["US1", "US2"],
    )
    def test_the_warning_of_a_rejected_row_names_it(self, record: RunRecord, symbol: str, row: str) -> None:
        (check,) = [check for check in record.checks if check.name == "no_rejected_row"]
        assert [example["detail"] for example in check.examples if example["symbol"] == symbol] == [
            f"1 rejected, such as {row}"
        ]

    def test_a_fiscal_year_end_that_moves_warns(self, record: RunRecord, status: dict[str, str]) -> None:
        (check,) = [check for check in record.checks if check.name == "fiscal_years_steady"]
        assert check.status == "warning"
        first = min(check.examples, key=lambda row: row["as_of"])
        assert first["symbol"] == "MOVER"
        assert date.fromisoformat(first["as_of"]) >= MOVED_ON
        assert (first["before"][5:], first["after"]) == ("12-31", "2025-09-30")
        assert "fiscal_years_steady (1, first symbol=MOVER" in status["Warned"]

    def test_an_estimate_of_no_analyst_warns(self, record: RunRecord) -> None:
        (check,) = [check for check in record.checks if check.name == "estimates_have_analysts"]
        assert check.status == "warning"
        assert {row["symbol"] for row in check.examples} == {"UK2.L"}

    def test_an_estimate_in_a_currency_without_a_rate_warns(self, record: RunRecord) -> None:
        (check,) = [check for check in record.checks if check.name == "estimates_convertible"]
        assert check.status == "warning"
        assert [row["symbol"] for row in check.examples] == ["EURO"]
