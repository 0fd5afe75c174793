"""Trailing figures computed a second way, in plain Python on what the sample publishes, to a relative 1e-9."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

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
