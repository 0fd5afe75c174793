"""Marts computed a second way, with pandas on the vendor's own files, to a relative 1e-9."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.settings import Settings
from tests.pipeline import ask

TITANS = ["9988.HK", "0700.HK", "1810.HK", "1211.HK", "0981.HK", "9618.HK", "9999.HK"]
MAG7 = ["AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA"]
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def closes(market_data: Path) -> pd.DataFrame:
    """Vendor closes, a column a symbol, with the four confirmed closes of 2024-12-31 written over them."""
    prices = pd.read_csv(market_data / "prices.csv", parse_dates=["date"])
    table = prices.pivot(index="date", columns="symbol", values="close")
    official = pd.read_csv(market_data / "official_closes.csv", parse_dates=["date"])
    for row in official[official["confirmed"]].itertuples():
        table.loc[row.date, row.symbol] = row.close
    return table


def annual_levels(closes: pd.DataFrame) -> pd.Series:
    """An equal-weighted level, rebalanced after the last session of each year, one year after the other."""
    level, levels = 100.0, {closes.index[0]: 100.0}
    bought = closes.iloc[0]
    for day, row in closes.iloc[1:].iterrows():
        levels[day] = level * float((row / bought).mean())
        is_last = day == closes.index[closes.index.year == day.year][-1] and day.year < 2025
        if is_last:
            level, bought = levels[day], row
    return pd.Series(levels)


@pytest.mark.parametrize(("basket", "symbols"), [("china_titans", TITANS), ("magnificent_seven", MAG7)])
def test_basket_levels(built_real_store: Settings, closes: pd.DataFrame, basket: str, symbols: list[str]) -> None:
    expected = annual_levels(closes[symbols].dropna())
    rows = ask(
        built_real_store,
        "select date, level from marts.fct_basket_daily where basket_id = ? and currency_basis = 'local' and return_type = 'price' order by date",
        [basket],
    )
    actual = pd.Series({pd.Timestamp(day): level for day, level in rows})
    assert list(actual.index) == list(expected.index)
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE)


@pytest.mark.parametrize("symbol", ["0700.HK", "NVDA"])
def test_security_returns(built_real_store: Settings, closes: pd.DataFrame, symbol: str) -> None:
    series = closes[symbol].dropna()
    frame = pd.DataFrame(
        ask(
            built_real_store,
            "select date, return_1d, return_wtd, return_mtd, return_ytd, return_1m, return_1y, drawdown from marts.fct_security_daily where symbol = ? order by date",
            [symbol],
        ),
        columns=["date", "1d", "wtd", "mtd", "ytd", "1m", "1y", "drawdown"],
    ).set_index("date")
    frame.index = pd.DatetimeIndex(frame.index)
    days = series.index
    targets = {
        "wtd": days - pd.to_timedelta(days.day_of_week + 1, unit="D"),
        "mtd": days - pd.to_timedelta(days.day, unit="D"),
        "ytd": pd.DatetimeIndex([pd.Timestamp(day.year - 1, 12, 31) for day in days]),
        "1m": days - pd.DateOffset(months=1),
        "1y": days - pd.DateOffset(years=1),
    }
    np.testing.assert_allclose(frame["1d"].astype(float), series.pct_change(), rtol=TOLERANCE, atol=1e-12)
    np.testing.assert_allclose(frame["drawdown"].astype(float), series / series.cummax() - 1, rtol=TOLERANCE, atol=1e-12)
    for period, target in targets.items():
        expected = series.to_numpy() / series.asof(target).to_numpy() - 1
        np.testing.assert_allclose(frame[period].astype(float), expected, rtol=TOLERANCE, atol=1e-12, err_msg=period)


def test_total_return_of_tencent(built_real_store: Settings, closes: pd.DataFrame, market_data: Path) -> None:
    prices = pd.read_csv(market_data / "prices.csv", parse_dates=["date"])
    dividends = prices[prices["symbol"] == "0700.HK"].set_index("date")["dividend"]
    series = closes["0700.HK"].dropna()
    expected = 100 * ((series + dividends) / series.shift()).fillna(1).cumprod()
    rows = ask(built_real_store, "select total_return_index from marts.fct_security_daily where symbol = '0700.HK' order by date")
    np.testing.assert_allclose([row[0] for row in rows], expected, rtol=TOLERANCE)


def test_market_value_in_dollars(built_real_store: Settings, closes: pd.DataFrame, market_data: Path) -> None:
    shares = pd.read_csv(market_data / "shares.csv").set_index("symbol")["shares_outstanding"]
    rates = pd.read_csv(market_data / "fx_rates.csv", parse_dates=["date"])
    usdhkd = rates[rates["quote_currency"] == "HKD"].set_index("date")["rate"]
    day = pd.Timestamp("2025-03-06")
    expected = (closes.loc[day, TITANS] * shares[TITANS]).sum() / usdhkd.asof(day)
    ((actual,),) = ask(
        built_real_store,
        "select market_value_usd from marts.fct_basket_market_value_daily where basket_id = 'china_titans' and date = '2025-03-06'",
    )
    assert actual == pytest.approx(expected, rel=TOLERANCE)


def test_currency_identity_of_the_basket(built_real_store: Settings, market_data: Path) -> None:
    """(1 + R_usd) = (1 + R_local) * (1 + R_fx), for a basket of one currency."""
    rates = pd.read_csv(market_data / "fx_rates.csv", parse_dates=["date"])
    usdhkd = rates[rates["quote_currency"] == "HKD"].set_index("date")["rate"]
    rows = dict(
        ask(
            built_real_store,
            "select currency_basis, return_ytd from marts.fct_basket_daily where basket_id = 'china_titans' and return_type = 'price' and date = '2025-03-06'",
        )
    )
    fx = usdhkd.asof(pd.Timestamp("2024-12-31")) / usdhkd.asof(pd.Timestamp("2025-03-06"))
    assert 1 + rows["usd"] == pytest.approx((1 + rows["local"]) * fx, rel=TOLERANCE)
