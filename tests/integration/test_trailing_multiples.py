"""Trailing P/E and price to book of each session and basket day a second way with pandas, from results, closes, rates and weights."""

from __future__ import annotations

import pandas as pd

from include.settings import Settings
from tests.pipeline import ask_warehouse

TOLERANCE = 1e-9
AGE = pd.Timedelta(days=500)


def frame(settings: Settings, sql: str, columns: str) -> pd.DataFrame:
    table = pd.DataFrame(ask_warehouse(settings, sql), columns=columns.split())
    for name in ("date", "as_of", "eps_end", "book_end"):
        if name in table:
            table[name] = pd.to_datetime(table[name]).astype("datetime64[ns]")
    return table


def per_dollar(settings: Settings, table: pd.DataFrame, column: str) -> pd.Series:
    """Units of the currency in ``column`` for one US dollar on each row's day."""
    rates = frame(
        settings, "select quote_currency, date, rate from marts.fct_fx_daily order by date", f"{column} date rate"
    )
    ordered = table[["date", column]].reset_index().sort_values("date")
    known = ordered.dropna(subset=[column])
    merged = pd.merge_asof(known, rates, on="date", by=column).set_index("index")["rate"]
    return merged.reindex(table.index).where(table[column] != "USD", 1.0)


def yields_of_sessions(settings: Settings) -> pd.DataFrame:
    """Earnings and book value over the close, of the last results known on each session."""
    closes = frame(
        settings,
        "select symbol, date, close, currency from marts.fct_security_daily order by date",
        "symbol date close currency",
    )
    results = frame(
        settings,
        "select symbol, as_of, as_of, eps_ttm, eps_currency, eps_period_end, book_value_per_share, book_value_currency, "
        "book_value_period_end from marts.fct_security_fundamentals order by as_of",
        "symbol date as_of eps eps_currency eps_end book book_currency book_end",
    )
    table = pd.merge_asof(closes, results, on="date", by="symbol")
    own = per_dollar(settings, table, "currency")
    for figure in ("eps", "book"):
        amount = table[figure].astype(float) / per_dollar(settings, table, f"{figure}_currency") * own
        is_young = table[f"{figure}_end"] >= table["date"] - AGE
        table[f"{figure}_yield"] = (amount / table["close"]).where(is_young)
    return table


def assert_close(actual: pd.Series, wanted: pd.Series) -> None:
    pd.testing.assert_series_equal(
        actual.astype(float), wanted.astype(float), rtol=TOLERANCE, atol=0, check_names=False, check_index=False
    )


def test_every_session_of_every_security(built_sample_store: Settings) -> None:
    actual = frame(
        built_sample_store,
        "select symbol, date, trailing_pe, price_to_book, fundamentals_as_of from marts.fct_security_valuation_daily order by all",
        "symbol date pe pb as_of",
    )
    wanted = yields_of_sessions(built_sample_store).sort_values(["symbol", "date"])
    assert_close(actual["pe"], 1 / wanted["eps_yield"].where(wanted["eps_yield"] > 0))
    assert_close(actual["pb"], 1 / wanted["book_yield"].where(wanted["book_yield"] > 0))
    assert list(actual["as_of"].isna()) == list(wanted["as_of"].isna())
    assert actual["pe"].notna().sum() > 5_000


def test_every_day_of_every_basket(built_sample_store: Settings) -> None:
    members = frame(
        built_sample_store,
        "select basket_id, symbol, date, weight_close from marts.fct_basket_member_daily "
        "where currency_basis = 'usd' and return_type = 'price' and weight_close > 0 order by date",
        "basket symbol date weight",
    )
    yields = yields_of_sessions(built_sample_store)[["symbol", "date", "eps_yield", "book_yield"]].sort_values("date")
    joined = pd.merge_asof(members, yields, on="date", by="symbol")
    actual = frame(
        built_sample_store,
        "select basket_id, date, trailing_pe, trailing_pe_weight_covered, price_to_book, price_to_book_weight_covered "
        "from marts.fct_basket_valuation_daily where members = members_priced order by all",
        "basket date eps eps_covered book book_covered",
    ).set_index(["basket", "date"])
    for figure in ("eps", "book"):
        joined["covered"] = joined["weight"].where(joined[f"{figure}_yield"].notna(), 0.0)
        joined["earned"] = joined["weight"] * joined[f"{figure}_yield"]
        sums = joined.groupby(["basket", "date"])[["weight", "covered", "earned"]].sum().loc[actual.index]
        assert_close(actual[figure], (sums["covered"] / sums["earned"]).where(sums["earned"] > 0))
        assert_close(actual[f"{figure}_covered"], sums["covered"] / sums["weight"])
        assert actual[figure].notna().sum() > 1_000


def test_without_results_nothing_is_covered(built_real_store: Settings) -> None:
    rows = ask_warehouse(
        built_real_store,
        "select count(trailing_pe), count(price_to_book), max(trailing_pe_weight_covered), max(price_to_book_weight_covered) "
        "from marts.fct_basket_valuation_daily",
    )
    assert rows == [(0, 0, 0.0, 0.0)]
