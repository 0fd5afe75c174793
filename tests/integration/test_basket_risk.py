"""Risk of baskets, a second way: pandas, numpy and scipy on the published levels, every month end of every series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from include.settings import Settings
from tests.pipeline import ask, ask_warehouse

NEXT_SESSION = pd.Timestamp("2025-03-10")
"""Of both exchanges, after the last day of both stores: Friday, 7 March 2025."""
SESSIONS = {"30d": 30, "90d": 90}
WEEKS = {"1y": 52, "3y": 156}
FRIDAY, WEEKDAYS = ["W-SUN"], ["W-SUN", "W-MON", "W-TUE", "W-WED", "W-THU"]
"""Weeks by pandas's name of their last day; those to Sunday have Friday's close."""
INDICES = {"china_titans": "^HSI", "magnificent_seven": "^GSPC"}
CURRENCIES = {"^HSI": "HKD", "^GSPC": "USD"}
ALONE = ["observations", "volatility", "max_drawdown"]
COMPARED = [
    *("observations", "week_sets", "correlation", "beta", "beta_standard_error"),
    *("tracking_error", "information_ratio"),
]


class Series(NamedTuple):
    subject: str
    currency_basis: str
    return_type: str


Levels = dict[Series, pd.Series]
Measures = dict[tuple[str, str], list[float | None]]
"""By day and window."""


@pytest.fixture(scope="module", params=["built_real_store", "built_sample_store"])
def store(request: pytest.FixtureRequest) -> Settings:
    found: Settings = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def levels(store: Settings) -> Levels:
    """Of baskets in every basis and type, of their indices in their own currency and in dollars."""
    rows = ask(
        store, "select basket_id, currency_basis, return_type, date, level from marts.fct_basket_daily order by date"
    )
    rows += ask(
        store, "select symbol, 'local', 'price', date, level from marts.fct_index_daily where is_traded order by date"
    )
    frame = pd.DataFrame(rows, columns=["subject", "basis", "type", "date", "level"])
    frame["date"] = pd.to_datetime(frame["date"])
    found: Levels = {
        Series(*key): group.set_index("date")["level"].astype(float)
        for key, group in frame.groupby(["subject", "basis", "type"])
    }
    rates = pd.DataFrame(
        ask(
            store, "select quote_currency, date, rate from marts.fct_fx_daily where base_currency = 'USD' order by date"
        ),
        columns=["currency", "date", "rate"],
    )
    for symbol, currency in CURRENCIES.items():
        if (local := found.get(Series(symbol, "local", "price"))) is not None:
            of_currency = rates[rates["currency"] == currency]
            fixings = pd.Series(of_currency["rate"].to_numpy(), pd.to_datetime(of_currency["date"]))
            found[Series(symbol, "usd", "price")] = local / (1 if currency == "USD" else fixings.asof(local.index))
    return found


def month_ends(level: pd.Series) -> Iterator[tuple[pd.Timestamp, pd.Timestamp]]:
    """The last day of each month, and the day after it."""
    following = [*level.index[1:], NEXT_SESSION]
    for day, next_day in zip(level.index, following, strict=True):
        if next_day is NEXT_SESSION or next_day.month != day.month:
            yield day, next_day


def drawdown(level: pd.Series) -> float:
    return float((level / level.cummax() - 1).min())


def enough(returns: pd.Series | pd.DataFrame, wanted: int) -> bool:
    return len(returns) >= 0.9 * wanted


def alone(level: pd.Series) -> Measures:
    """Observations, volatility and maximum drawdown."""
    daily = level.pct_change(fill_method=None)
    weekly, monthly = (level.resample(rule).last().pct_change(fill_method=None) for rule in ("W-SUN", "ME"))
    found: Measures = {}
    for day, next_day in month_ends(level):
        known = level[:day]
        cases = [
            (name, daily[:day].tail(number), known.tail(number + 1), number, 252) for name, number in SESSIONS.items()
        ]
        cases.append(("1y", weekly[weekly.index < next_day].tail(52), known[day - pd.Timedelta(weeks=52) :], 52, 52))
        cases.append(
            ("3y", monthly[monthly.index < next_day].tail(36), known[day - pd.DateOffset(months=36) :], 36, 12)
        )
        for window, returns, path, wanted, per_year in cases:
            returns = returns.dropna()
            measures = (
                [returns.std(ddof=1) * np.sqrt(per_year), drawdown(path)] if enough(returns, wanted) else [None] * 2
            )
            found[str(day.date()), window] = [len(returns), *measures]
    return found


def compared(own: pd.Series, other: pd.Series | None, weeks: list[str], *, is_index: bool) -> Measures:
    """Observations, sets of weeks and the measures against a benchmark."""
    pairs = []
    for rule in weeks:
        one = own.resample(rule).last()
        two = one * np.nan if other is None else other.resample(rule).last().reindex(one.index)
        pairs.append(pd.DataFrame({"own": one, "other": two}).pct_change(fill_method=None))
    found: Measures = {}
    for day, next_day in month_ends(own):
        for window, number in WEEKS.items():
            samples = [pair[pair.index < next_day].tail(number).dropna() for pair in pairs]
            measures: list[float | None] = [None] * 5
            if all(enough(sample, number) for sample in samples):
                measures = list(np.mean([against(sample) for sample in samples], axis=0))
                if not is_index:
                    measures[3:] = [None, None]
            found[str(day.date()), window] = [min(map(len, samples)), len(weeks), *measures]
    return found


def against(sample: pd.DataFrame) -> list[float]:
    own, other = sample["own"].to_numpy(), sample["other"].to_numpy()
    line = stats.linregress(other, own)
    active = own - other
    error = np.std(active, ddof=1) * np.sqrt(52)
    return [np.corrcoef(own, other)[0, 1], line.slope, line.stderr, error, active.mean() * 52 / error]


def published(settings: Settings, series: Series, benchmark: str | None, columns: list[str]) -> Measures:
    rows = ask(
        settings,
        f"""select date::varchar, window_length, {", ".join(columns)} from marts.fct_basket_risk
        where basket_id = ? and currency_basis = ? and return_type = ? and benchmark_id is not distinct from ?""",
        [*series, benchmark],
    )
    return {(day, window): list(values) for day, window, *values in rows}


def assert_same(actual: Measures, expected: Measures) -> None:
    assert actual.keys() == expected.keys()
    for key, values in expected.items():
        assert actual[key] == [
            None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12) for value in values
        ], key


@pytest.mark.parametrize("basket", INDICES)
def test_volatility_and_drawdown(store: Settings, levels: Levels, basket: str) -> None:
    for series in (series for series in levels if series.subject == basket):
        assert_same(published(store, series, None, ALONE), alone(levels[series]))


@pytest.mark.parametrize(("basket", "index"), INDICES.items())
def test_against_the_index_of_the_exchange(store: Settings, levels: Levels, basket: str, index: str) -> None:
    for basis in ("local", "usd"):
        series = Series(basket, basis, "price")
        expected = compared(levels[series], levels.get(series._replace(subject=index)), FRIDAY, is_index=True)
        assert_same(published(store, series, index, COMPARED), expected)


def test_against_the_comparator_across_time_zones(store: Settings, levels: Levels) -> None:
    for basis, kind in (("local", "price"), ("usd", "total")):
        series = Series("china_titans", basis, kind)
        other = levels[series._replace(subject="magnificent_seven")]
        expected = compared(levels[series], other, WEEKDAYS, is_index=False)
        assert_same(published(store, series, "magnificent_seven", COMPARED), expected)


def test_only_comparable_benchmarks(store: Settings) -> None:
    rows = ask(
        store,
        "select distinct basket_id, benchmark_id, currency_basis, return_type from marts.fct_basket_risk "
        "where benchmark_id is not null",
    )
    bases, types = ["local", "usd"], ["price", "total"]
    assert set(rows) == {
        *((basket, index, basis, "price") for basket, index in INDICES.items() for basis in bases),
        *(("china_titans", "magnificent_seven", basis, kind) for basis in bases for kind in types),
    }


def test_the_titans_hardly_move_with_the_magnificent_seven(built_real_store: Settings) -> None:
    """From 2022 to 2025 the correlation was 0.17 to 0.31, by the weekday that weeks end on; this is their mean."""
    ((correlation,),) = ask(
        built_real_store,
        "select correlation from marts.fct_basket_risk where basket_id = 'china_titans' and date = '2025-03-07' "
        "and benchmark_id = 'magnificent_seven' and window_length = '3y' and currency_basis = 'local' "
        "and return_type = 'price'",
    )
    assert 0.17 < correlation < 0.31


def sharpe_ratios(level: pd.Series, rates: pd.Series) -> Measures:
    """Sharpe 1994 with pandas: weeks of a year, months of three, each less the yield at its beginning for its days."""
    found: Measures = {}
    for window, rule, number, per_year in (("1y", "W-SUN", 52, 52), ("3y", "ME", 36, 12)):
        last = level.resample(rule).last()
        days = level.index.to_series().resample(rule).last()
        base = days.shift(1)
        rate = rates.asof(pd.DatetimeIndex(base)).to_numpy()
        excess = last.pct_change(fill_method=None) - rate * (days - base).dt.days / 365
        for day, next_day in month_ends(level):
            sample = excess[excess.index < next_day].tail(number).dropna()
            ratio = sample.mean() / sample.std(ddof=1) * np.sqrt(per_year) if enough(sample, number) else None
            found[str(day.date()), window] = [ratio]
    return found


@pytest.mark.parametrize(
    ("basket", "basis", "series"),
    [
        ("china_titans", "local", "HKD 3m"),
        ("china_titans", "usd", "USD 13w"),
        ("magnificent_seven", "local", "USD 13w"),
        ("magnificent_seven", "usd", "USD 13w"),
    ],
)
def test_sharpe_ratios(built_sample_store: Settings, basket: str, basis: str, series: str) -> None:
    levels = ask(
        built_sample_store,
        "select date, level from marts.fct_basket_daily where basket_id = ? and currency_basis = ? "
        "and return_type = 'total' order by date",
        [basket, basis],
    )
    quotes = ask_warehouse(
        built_sample_store,
        f"""select date, case quote_basis when 'yield' then rate else 365 * rate / (360 - rate * 91) end
        from staging.stg_risk_free where currency = '{series[:3]}' order by date""",
    )
    level, rates = (
        pd.Series([value for _, value in rows], pd.DatetimeIndex([day for day, _ in rows])) for rows in (levels, quotes)
    )
    actual = published(built_sample_store, Series(basket, basis, "total"), None, ["sharpe_ratio"])
    expected = sharpe_ratios(level, rates)
    assert_same({key: actual[key] for key in expected}, expected)
    assert sum(values[0] is not None for values in expected.values()) > 30
    named = ask(
        built_sample_store,
        "select distinct risk_free_series from marts.fct_basket_risk where basket_id = ? and currency_basis = ? "
        "and sharpe_ratio is not null",
        [basket, basis],
    )
    assert named == [(series,)]


def test_without_risk_free_rates_there_is_no_sharpe_ratio(built_real_store: Settings) -> None:
    rows = ask(
        built_real_store,
        "select distinct basket_id, currency_basis, sharpe_ratio, sharpe_ratio_reason from marts.fct_basket_risk "
        "where date = '2025-03-07' and return_type = 'total' and window_length in ('1y', '3y') and benchmark_id is null",
    )
    no = "there are no risk-free rates of"
    assert set(rows) == {
        ("china_titans", "local", None, f"{no} HKD"),
        *(
            (basket, basis, None, f"{no} USD")
            for basket, basis in [("china_titans", "usd"), ("magnificent_seven", "local"), ("magnificent_seven", "usd")]
        ),
    }
