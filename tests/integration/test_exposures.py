"""Exposures and turnover, found a second way with pandas on the vendor's own files and the seed's words."""

from __future__ import annotations

import pandas as pd
import pytest

from include.settings import Settings
from tests.integration.test_marts_recomputed import MAG7, TITANS
from tests.integration.test_marts_recomputed import closes as closes
from tests.pipeline import ask

SECTORS = {
    "china_titans": {
        "Consumer Discretionary": ["9988.HK", "1211.HK", "9618.HK"],
        "Communication Services": ["0700.HK", "9999.HK"],
        "Information Technology": ["1810.HK", "0981.HK"],
    },
    "magnificent_seven": {
        "Consumer Discretionary": ["AMZN", "TSLA"],
        "Communication Services": ["GOOGL", "META"],
        "Information Technology": ["AAPL", "MSFT", "NVDA"],
    },
}


@pytest.mark.parametrize(("basket", "symbols"), [("china_titans", TITANS), ("magnificent_seven", MAG7)])
def test_turnover_of_every_year_and_sectors_between(
    built_real_store: Settings, closes: pd.DataFrame, basket: str, symbols: list[str]
) -> None:
    """Members bought in equal parts drift with their closes; each year's end sets them back."""
    prices = closes[symbols].dropna()
    turnover, sectors = {}, {}
    bought = prices.iloc[0]
    for year, days in prices.groupby(prices.index.year):
        weights = (days / bought).div((days / bought).sum(axis=1), axis=0)
        for _, month in weights.groupby(weights.index.to_period("M")):
            last = month.index[-1]
            is_rebalance = last == days.index[-1] and year < 2025
            for sector, members in SECTORS[basket].items():
                now = len(members) / len(symbols) if is_rebalance else month.iloc[-1][members].sum()
                sectors[last.date(), sector] = pytest.approx(now, abs=1e-9)
        if year < 2025:
            turnover[days.index[-1].date()] = pytest.approx(
                (weights.iloc[-1] - 1 / len(symbols)).abs().sum() / 2, abs=1e-9
            )
            bought = days.iloc[-1]
    rows = ask(
        built_real_store,
        "select distinct date, turnover, turnover_12m from marts.fct_basket_exposures where basket_id = ? and turnover is not null",
        [basket],
    )
    assert {row[0]: row[1] for row in rows} == turnover
    assert all(row[2] == pytest.approx(row[1], abs=1e-12) for row in rows if row[2] is not None)
    rows = ask(
        built_real_store,
        "select date, value, weight from marts.fct_basket_exposures where basket_id = ? and kind = 'sector' and date > ?",
        [basket, prices.index[0].date()],
    )
    assert {(row[0], row[1]): row[2] for row in rows} == sectors


def test_the_titans_trade_in_hong_kong_dollars_and_work_in_china(built_real_store: Settings) -> None:
    rows = ask(
        built_real_store,
        "select kind, value, member_count from marts.fct_basket_exposures where basket_id = 'china_titans' "
        "and date = '2025-03-07' and kind <> 'sector' order by 1",
    )
    assert rows == [("country", "CN", 7), ("currency", "HKD", 7)]
