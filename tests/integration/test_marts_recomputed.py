"""Marts computed a second way, with pandas on the vendor's own files, to a relative 1e-9."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import exchange_calendars
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
    np.testing.assert_allclose(frame["1d"].astype(float), series.pct_change(), rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(
        frame["drawdown"].astype(float), series / series.cummax() - 1, rtol=TOLERANCE, atol=TOLERANCE
    )
    for period, target in targets.items():
        expected = series.to_numpy() / series.asof(target).to_numpy() - 1
        np.testing.assert_allclose(
            frame[period].astype(float), expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=period
        )


def test_total_return_of_tencent(built_real_store: Settings, closes: pd.DataFrame, market_data: Path) -> None:
    prices = pd.read_csv(market_data / "prices.csv", parse_dates=["date"])
    dividends = prices[prices["symbol"] == "0700.HK"].set_index("date")["dividend"]
    series = closes["0700.HK"].dropna()
    expected = 100 * ((series + dividends) / series.shift()).fillna(1).cumprod()
    rows = ask(
        built_real_store,
        "select total_return_index from marts.fct_security_daily where symbol = '0700.HK' order by date",
    )
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


def period_bases(days: pd.DatetimeIndex) -> dict[str, pd.DatetimeIndex]:
    """The last day that may be the base of each period, for each of ``days``."""
    return {
        "wtd": days - pd.to_timedelta(days.day_of_week + 1, unit="D"),
        "mtd": days - pd.to_timedelta(days.day, unit="D"),
        "ytd": pd.DatetimeIndex([pd.Timestamp(day.year - 1, 12, 31) for day in days]),
        "3m": days - pd.DateOffset(months=3),
        "1y": days - pd.DateOffset(years=1),
    }


@pytest.mark.parametrize("symbol", ["^NDX", "HSTECH.HK"])
def test_index_lines(built_real_store: Settings, market_data: Path, symbol: str) -> None:
    """Returns, record, drawdown and the last earlier close at or above each day's own, on the vendor's closes."""
    prices = pd.read_csv(market_data / "prices.csv", parse_dates=["date"])
    told = prices[prices["symbol"] == symbol].set_index("date")["close"]
    columns = [
        "return_1d",
        "return_wtd",
        "return_mtd",
        "return_ytd",
        "return_3m",
        "return_1y",
        "record_high",
        "drawdown",
        "highest_since",
    ]
    frame = pd.DataFrame(
        ask(
            built_real_store,
            f"select date, {', '.join(columns)} from marts.fct_index_daily where symbol = ? order by date",
            [symbol],
        ),
        columns=["date", *columns],
    ).set_index("date")
    frame.index = pd.DatetimeIndex(frame.index)
    levels = told.reindex(frame.index).ffill()
    np.testing.assert_allclose(frame["return_1d"].astype(float), levels.pct_change(), rtol=TOLERANCE, atol=TOLERANCE)
    for period, target in period_bases(frame.index).items():
        expected = levels.to_numpy() / levels.asof(target).to_numpy() - 1
        np.testing.assert_allclose(
            frame[f"return_{period}"].astype(float), expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=period
        )
    np.testing.assert_allclose(frame["record_high"], levels.cummax(), rtol=TOLERANCE)
    np.testing.assert_allclose(frame["drawdown"], levels / levels.cummax() - 1, rtol=TOLERANCE, atol=TOLERANCE)
    for day in frame.index:
        at_or_above = told[(told.index < day) & (told >= levels[day])]
        expected_day = at_or_above.index[-1] if len(at_or_above) else None
        actual = frame.loc[day, "highest_since"]
        assert (None if pd.isna(actual) else pd.Timestamp(actual)) == expected_day, day


def test_comparison_of_the_baskets(built_real_store: Settings, closes: pd.DataFrame) -> None:
    """Excess returns and relative level, on the days of either basket, the other's level carried."""
    own, other = (annual_levels(closes[symbols].dropna()) for symbols in (TITANS, MAG7))
    days = own.index.union(other.index)
    days = days[(days >= max(own.index[0], other.index[0])) & (days <= max(own.index[-1], other.index[-1]))]
    one, two = own.reindex(own.index.union(days)).ffill(), other.reindex(other.index.union(days)).ffill()
    columns = [
        "excess_return_1d",
        "excess_return_wtd",
        "excess_return_mtd",
        "excess_return_ytd",
        "excess_return_3m",
        "excess_return_1y",
    ]
    frame = pd.DataFrame(
        ask(
            built_real_store,
            f"select date, {', '.join(columns)}, relative_level, level_rebased, comparator_level_rebased from marts.fct_basket_comparison_daily where basket_id = 'china_titans' "
            "and comparator_basket_id = 'magnificent_seven' and currency_basis = 'local' and return_type = 'price' order by date",
        ),
        columns=["date", *columns, "relative_level", "level_rebased", "comparator_level_rebased"],
    ).set_index("date")
    frame.index = pd.DatetimeIndex(frame.index)
    assert list(frame.index) == list(days)
    one, two = one.reindex(days), two.reindex(days)
    np.testing.assert_allclose(frame["relative_level"], 100 * (one / two) / (one.iloc[0] / two.iloc[0]), rtol=TOLERANCE)
    np.testing.assert_allclose(frame["level_rebased"], 100 * one / one.iloc[0], rtol=TOLERANCE)
    np.testing.assert_allclose(frame["comparator_level_rebased"], 100 * two / two.iloc[0], rtol=TOLERANCE)
    np.testing.assert_allclose(
        frame["excess_return_1d"].astype(float), one.pct_change() - two.pct_change(), rtol=TOLERANCE, atol=TOLERANCE
    )
    for period, target in period_bases(days).items():
        expected = one.to_numpy() / one.asof(target).to_numpy() - two.to_numpy() / two.asof(target).to_numpy()
        np.testing.assert_allclose(
            frame[f"excess_return_{period}"].astype(float), expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=period
        )


def test_inputs_are_the_vendors_own(built_real_store: Settings, market_data: Path) -> None:
    """Rates, share counts, dividends and estimates stand in the marts as they stand in the files: there is no split after any of them."""
    rates = pd.read_csv(market_data / "fx_rates.csv")
    assert sorted(
        ask(built_real_store, "select quote_currency, date::varchar, rate from marts.fct_fx_daily")
    ) == sorted(rates[["quote_currency", "date", "rate"]].itertuples(index=False, name=None))
    shares = pd.read_csv(market_data / "shares.csv")
    assert sorted(
        ask(built_real_store, "select symbol, as_of::varchar, shares_outstanding from marts.fct_shares_outstanding")
    ) == sorted(shares[["symbol", "as_of", "shares_outstanding"]].itertuples(index=False, name=None))
    prices = pd.read_csv(market_data / "prices.csv")
    for action, column in (("dividend", "dividend"), ("split", "split_ratio")):
        told = prices[(prices[column] > 0) & (prices[column] != (1 if action == "split" else -1))]
        actual = ask(
            built_real_store,
            "select symbol, date::varchar, value_vendor from marts.fct_corporate_actions where action = ?",
            [action],
        )
        assert sorted(actual) == sorted(told[["symbol", "date", column]].itertuples(index=False, name=None)), action
    estimates = pd.read_csv(market_data / "estimates.csv")
    assert sorted(
        ask(
            built_real_store, "select symbol, period_label, period_end::varchar, mean from marts.fct_estimate_snapshots"
        )
    ) == sorted(estimates[["symbol", "period", "period_end", "mean"]].itertuples(index=False, name=None))


def test_days_of_the_calendar(built_real_store: Settings) -> None:
    """Python's own weeks and months, and the exchanges' sessions as the library and the two closures of September 2023 tell them."""
    closed = {"XHKG": {date(2023, 9, 1), date(2023, 9, 8)}, "XNYS": set[date]()}
    columns = "year, quarter, month, iso_year, iso_week, iso_day_of_week, is_month_end, is_session_hk, is_session_us, is_half_day_hk, is_half_day_us"
    rows = ask(built_real_store, f"select date, {columns} from marts.dim_dates order by date")
    first, last = rows[0][0], rows[-1][0]
    sessions, half_days = {}, {}
    for exchange, closures in closed.items():
        library = exchange_calendars.get_calendar(exchange, start=first, end=last)
        sessions[exchange] = {day.date() for day in library.sessions} - closures
        half_days[exchange] = {day.date() for day in library.early_closes} - closures
    assert [row[0] for row in rows] == [first + timedelta(days=number) for number in range((last - first).days + 1)]
    assert first <= date(2020, 1, 2)
    assert last >= date(2025, 3, 7)
    for day, *values in rows:
        in_sessions, in_half_days = (
            [day in days[exchange] for exchange in ("XHKG", "XNYS")] for days in (sessions, half_days)
        )
        is_month_end = (day + timedelta(days=1)).day == 1
        expected = [
            day.year,
            (day.month + 2) // 3,
            day.month,
            *day.isocalendar(),
            is_month_end,
            *in_sessions,
            *in_half_days,
        ]
        assert values == expected, day


def test_dimensions_say_what_the_seeds_say(built_real_store: Settings) -> None:
    """Row by row as CSV, with the first day on which all members are priced for the base date that the seeds leave open."""

    def seed(name: str) -> list[dict[str, str | None]]:
        with (built_real_store.seeds_dir / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]

    def mart(name: str, columns: list[str]) -> list[tuple[str | None, ...]]:
        return sorted(
            ask(built_real_store, f"select {', '.join(f'{column}::varchar' for column in columns)} from marts.{name}"),
            key=str,
        )

    members = ["basket_id", "symbol", "valid_from", "valid_to"]
    events = ["event_id", "event_name", "event_date", "description", "event_source"]
    securities = ["symbol", "security_name", "kind", "exchange", "currency", "reporting_currency"]
    baskets = ["basket_id", "basket_name", "weighting", "rebalance", "comparator_basket_id"]
    in_seeds = dict.fromkeys(("event_name", "security_name", "basket_name"), "name")
    in_seeds |= {"event_date": "date", "event_source": "source"}
    for table, name, columns in (
        ("dim_basket_members", "basket_members", members),
        ("dim_market_events", "market_events", events),
        ("dim_securities", "securities", securities),
        ("dim_baskets", "baskets", baskets),
    ):
        assert mart(table, columns) == sorted(
            (tuple(row[in_seeds.get(column, column)] for column in columns) for row in seed(name)), key=str
        ), table
    assert mart("dim_baskets", ["basket_id", "base_date"]) == [
        ("china_titans", "2020-06-18"),
        ("magnificent_seven", "2020-01-02"),
    ]
