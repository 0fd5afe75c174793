"""Trailing figures computed a second way, in plain Python on what the sample publishes, to a relative 1e-9."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import duckdb
import pandas as pd
import pytest

from include.seeds.read import load_reference
from include.settings import Settings
from include.sources.base import Window
from include.sources.sample import SampleSource
from tests.pipeline import AS_OF, ask

Row = dict[str, Any]


@pytest.fixture(scope="module")
def published(built_sample_store: Settings) -> dict[str, list[Row]]:
    """The sample's results by symbol."""
    reference = load_reference(built_sample_store.seeds_dir)
    source = SampleSource(reference)
    equities = [row for row in reference.equities if row.symbol not in source.omitted]
    found: dict[str, list[Row]] = defaultdict(list)
    for row in source.fundamentals(equities, Window(None, AS_OF)).table.to_pylist():
        found[row["symbol"]].append(row)
    return dict(found)


def twelve_months(known: list[Row], figure: str) -> tuple[date, str, float] | None:
    """End, method and sum of the last twelve months out of what is known."""
    of: dict[str, dict[date, float]] = defaultdict(dict)
    for row in sorted(known, key=lambda row: row["published_on"]):
        of[row["period_type"]][row["period_end"]] = row[figure]
    found = [(end, 1, "annual", value) for end, value in of["annual"].items()]
    for half, value in of["interim"].items():
        years = [end for end in of["annual"] if end < half]
        before = [end for end in of["interim"] if end.year == half.year - 1]
        if years and before and (half - max(years)).days < 200:
            found.append((half, 2, "annual_and_interim", of["annual"][max(years)] + value - of["interim"][before[0]]))
    quarters = sorted(of["quarter"])
    for place in range(3, len(quarters)):
        four = quarters[place - 3 : place + 1]
        found.append((four[-1], 3, "four_quarters", sum(of["quarter"][end] for end in four)))
    if not found:
        return None
    end, _, method, value = max(found)
    return end, method, value


def test_fundamentals_recomputed(built_sample_store: Settings, published: dict[str, list[Row]]) -> None:
    rows = ask(
        built_sample_store,
        """select symbol, as_of, eps_period_end, eps_method, eps_ttm, dividends_ttm, book_value_period_end,
            book_value_per_share, last_close, currency, eps_currency, trailing_pe, price_to_book
        from marts.fct_security_fundamentals""",
    )
    assert {(row[0], row[1]) for row in rows} == {
        (symbol, row["published_on"]) for symbol, own in published.items() for row in own
    }
    closes: dict[str, list[tuple[date, float]]] = defaultdict(list)
    for symbol, day, close in ask(
        built_sample_store, "select symbol, date, close from marts.fct_security_daily order by 2"
    ):
        closes[symbol].append((day, close))
    units: dict[tuple[str, date], float] = {
        (currency, day): rate
        for currency, day, rate in ask(
            built_sample_store,
            "select quote_currency, date, rate from marts.fct_fx_daily where base_currency = 'USD' order by date",
        )
    }

    def units_of(currency: str, day: date) -> float:
        if currency == "USD":
            return 1.0
        return units[currency, max(other for code, other in units if code == currency and other <= day)]

    multiples = 0
    for symbol, as_of, eps_end, method, eps, dividends, book_end, book, close, currency, accounts, pe, pb in rows:
        known = [row for row in published[symbol] if row["published_on"] <= as_of]
        expected = twelve_months(known, "eps")
        if expected is None:
            assert (eps, method, pe) == (None, None, None)
        else:
            assert (eps_end, method) == expected[:2]
            assert eps == pytest.approx(expected[2], rel=1e-9)
            paid = twelve_months(known, "dividends_per_share")
            assert paid is not None
            assert dividends == pytest.approx(paid[2], rel=1e-9, abs=1e-12)
        last = max(known, key=lambda row: row["period_end"])
        assert (book_end, book) == (last["period_end"], pytest.approx(last["book_value_per_share"], rel=1e-9))
        days = [(day, value) for day, value in closes[symbol] if day <= as_of]
        if not days:  # published before the first price
            assert (close, pe, pb) == (None, None, None)
            continue
        day, last_close = days[-1]
        assert close == pytest.approx(last_close, rel=1e-9)
        rate = units_of(currency, day) / units_of(accounts or last["currency"], day)
        assert pb == pytest.approx(close / (book * rate), rel=1e-9)
        if expected is not None:
            assert pe == pytest.approx(close / (eps * rate), rel=1e-9)
            multiples += 1
    assert multiples > 100


def test_trailing_multiples_of_baskets_recomputed(built_sample_store: Settings) -> None:
    """With pandas, out of the published results, weights, closes and rates of the last day."""
    with duckdb.connect(str(built_sample_store.published.link), read_only=True) as marts:
        members = marts.execute(
            f"""select basket_id, symbol, weight_close from marts.fct_basket_member_daily
            where date = '{AS_OF}' and currency_basis = 'usd' and return_type = 'price' and weight_close > 0"""
        ).df()
        closes = marts.execute(
            f"""select symbol, max_by(close_usd, date) as close_usd from marts.fct_security_daily
            where date <= '{AS_OF}' group by symbol"""
        ).df()
        results = marts.execute(
            f"""select * from marts.fct_security_fundamentals where as_of <= '{AS_OF}'
            qualify row_number() over (partition by symbol order by as_of desc) = 1"""
        ).df()
        rates = marts.execute(
            f"""select quote_currency, max_by(rate, date) as rate from marts.fct_fx_daily
            where date <= '{AS_OF}' and base_currency = 'USD' group by quote_currency"""
        ).df()
        found = marts.execute(
            f"""select basket_id, trailing_pe, trailing_weight_covered, price_to_book, book_weight_covered
            from marts.fct_basket_valuation_daily where date = '{AS_OF}'"""
        ).df()
    in_dollars = {"USD": 1.0, **dict(zip(rates["quote_currency"], rates["rate"], strict=True))}
    table = members.merge(closes, on="symbol").merge(results, on="symbol", how="left")
    recent = pd.Timestamp(AS_OF) - pd.Timedelta(days=500)
    multiples = {}
    for figure, value, currency, end in (
        ("trailing_pe", "eps_ttm", "eps_currency", "eps_period_end"),
        ("price_to_book", "book_value_per_share", "book_value_currency", "book_value_period_end"),
    ):
        per_dollar = table[value] / table[currency].map(in_dollars) / table["close_usd"]
        table[figure] = per_dollar.where(pd.to_datetime(table[end]) >= recent)
        covered = table.dropna(subset=[figure])
        weighted = (covered["weight_close"] * covered[figure]).groupby(covered["basket_id"]).sum()
        weight = covered["weight_close"].groupby(covered["basket_id"]).sum()
        multiples[figure] = (weight / weighted, weight)
    assert len(found) == 2
    for row in found.itertuples():
        for figure, coverage in (("trailing_pe", "trailing_weight_covered"), ("price_to_book", "book_weight_covered")):
            expected, weight = multiples[figure]
            assert getattr(row, figure) == pytest.approx(expected[row.basket_id], rel=1e-9)
            assert getattr(row, coverage) == pytest.approx(weight[row.basket_id], rel=1e-9)
