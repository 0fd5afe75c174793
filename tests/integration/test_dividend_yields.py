"""Dividend yields a second way with pandas: payment by payment and session by session, on real and simulated prices."""

from __future__ import annotations

import pandas as pd
import pytest

from include.settings import Settings
from tests.pipeline import ask_warehouse

TOLERANCE = 1e-9
DAY = pd.Timedelta(days=1)


@pytest.fixture(params=["built_real_store", "built_sample_store"])
def store(request: pytest.FixtureRequest) -> Settings:
    settings: Settings = request.getfixturevalue(request.param)
    return settings


def frame(settings: Settings, sql: str, columns: str) -> pd.DataFrame:
    table = pd.DataFrame(ask_warehouse(settings, sql), columns=columns.split())
    table["date"] = pd.to_datetime(table["date"])
    return table


def days_that_count(payments: pd.Series) -> dict[pd.Timestamp, pd.Timestamp]:
    """Of each ex-date the day on which its payment counts no more: the same period is paid again, or 380 days are over."""
    found = {}
    for day in payments.index:
        after = payments.index - day
        in_between = ((after > 0 * DAY) & (after <= 319 * DAY)).sum()
        drift = min(45, 365 // (2 * (in_between + 1)))
        again = payments.index[after >= (365 - drift) * DAY]
        found[day] = min([day + 380 * DAY, *again[:1]])
    return found


def yields_of(closes: pd.Series, dividends: pd.DataFrame) -> pd.DataFrame:
    """Regular yield, number of payments and special yield of each session."""
    regular = dividends.set_index("date")["value"] - dividends.set_index("date")["special"]
    regular = regular[regular > 0]
    table = pd.DataFrame({"close": closes, "regular": 0.0, "payments": 0, "special": 0.0})
    for day, end in days_that_count(regular).items():
        counts = (table.index >= day) & (table.index < end)
        table.loc[counts, "regular"] += regular[day]
        table.loc[counts, "payments"] += 1
    for row in dividends[dividends["special"] > 0].itertuples():
        table.loc[(table.index >= row.date) & (table.index < row.date + 365 * DAY), "special"] += row.special
    table["regular"] /= table["close"]
    table["special"] /= table["close"]
    table["is_known"] = table.index >= table.index[0] + 365 * DAY
    return table


def test_every_session_of_every_security(store: Settings) -> None:
    """From the dividends of the mart of actions, which ``test_marts_recomputed.py`` holds against the vendor's."""
    sessions = frame(
        store,
        "select symbol, date, close, dividend_yield_ttm, dividend_payments_ttm, special_dividend_yield_ttm "
        "from marts.fct_security_daily order by all",
        "symbol date close regular payments special",
    )
    dividends = frame(
        store,
        "select symbol, date, value_in_price_currency, special_in_price_currency "
        "from marts.fct_corporate_actions where action = 'dividend' order by all",
        "symbol date value special",
    )
    assert len(dividends) > 50
    known = 0
    for symbol, rows in sessions.groupby("symbol"):
        actual = rows.set_index("date")
        wanted = yields_of(actual["close"], dividends[dividends["symbol"] == symbol])
        assert (actual["payments"].notna() == wanted["is_known"]).all(), symbol
        actual, wanted = actual[wanted["is_known"]], wanted[wanted["is_known"]]
        assert (actual["payments"] == wanted["payments"]).all(), symbol
        for column in ("regular", "special"):
            assert (actual[column] - wanted[column]).abs().max() <= 1e-3 * TOLERANCE, symbol
        known += len(actual)
    assert known > 10_000


def test_every_day_of_every_basket(store: Settings) -> None:
    """Members' weights at the close in dollars, and the yields of their last session."""
    members = frame(
        store,
        "select basket_id, symbol, date, weight_close from marts.fct_basket_member_daily "
        "where currency_basis = 'usd' and return_type = 'price' and weight_close > 0 order by date",
        "basket symbol date weight",
    )
    yields = frame(
        store,
        "select symbol, date, dividend_yield_ttm from marts.fct_security_daily order by date",
        "symbol date yield",
    )
    joined = pd.merge_asof(members, yields, on="date", by="symbol")
    joined["yield"] = joined["yield"].astype(float)
    joined["covered"] = joined["weight"].where(joined["yield"].notna(), 0.0)
    joined["paid"] = joined["weight"] * joined["yield"]
    sums = joined.groupby(["basket", "date"])[["weight", "covered", "paid"]].sum(min_count=1)
    actual = frame(
        store,
        "select basket_id, date, dividend_yield_ttm, dividend_weight_covered from marts.fct_basket_valuation_daily "
        "where members = members_priced",
        "basket date yield covered",
    ).set_index(["basket", "date"])
    wanted = sums.loc[actual.index]
    assert len(actual) > 2_000
    assert (actual["covered"] - wanted["covered"] / wanted["weight"]).abs().max() <= TOLERANCE
    expected = wanted["paid"] / wanted["covered"].where(wanted["covered"] > 0)
    assert (actual["yield"].notna() == expected.notna()).all()
    assert actual["yield"].notna().sum() > 1_500
    assert (actual["yield"].astype(float) - expected).abs().max() <= 1e-3 * TOLERANCE


def test_a_year_without_a_second_payment(built_real_store: Settings) -> None:
    """Microsoft paid on 14 February 2024 and 371 days later; Tencent 361 and 364 days apart: one payment a period."""
    counts = ask_warehouse(
        built_real_store,
        "select symbol, list(distinct dividend_payments_ttm) from marts.fct_security_daily "
        "where symbol in ('MSFT', '0700.HK') and dividend_payments_ttm is not null group by symbol order by symbol",
    )
    assert counts == [("0700.HK", [1]), ("MSFT", [4])]


def test_special_dividends_of_the_seed_stand_apart(built_real_store: Settings) -> None:
    """Alibaba's of 12 June 2024, beside its payment of a year in December; JD.com's of May 2022, which paid no other.

    The companies announced 0.0825 and 0.63 US dollars; the vendor gives Hong Kong dollars at its own rate.
    """
    paid = ask_warehouse(
        built_real_store,
        "select symbol, date, value from marts.fct_corporate_actions where action = 'dividend' and (symbol, date) in ("
        "('9988.HK', date '2024-06-12'), ('9618.HK', date '2022-05-19'), ('9988.HK', date '2023-12-20')) order by 1, 2",
    )
    special_of_jd, regular, special = (value for _, _, value in paid)
    assert special == pytest.approx(0.0825 * 7.81, rel=0.01)
    assert special_of_jd == pytest.approx(0.63 * 7.847, rel=0.01)
    rows = ask_warehouse(
        built_real_store,
        "select symbol, round(dividend_yield_ttm * close, 9), dividend_payments_ttm, "
        "round(special_dividend_yield_ttm * close, 9) from marts.fct_security_daily "
        "where (symbol, date) in (('9988.HK', date '2024-07-02'), ('9618.HK', date '2022-07-04')) order by 1",
    )
    assert rows == [("9618.HK", 0.0, 0, pytest.approx(special_of_jd)), ("9988.HK", pytest.approx(regular), 1, pytest.approx(special))]  # fmt: skip
