"""Every return of every period a second way, in plain Python: of securities, indices, baskets and pairs, on the real prices, the sample and drawn ones.

A security's closes are computed from what the vendor told (``tests/basket_engine.py``); the levels of baskets are those of the marts, which
``test_baskets_recomputed.py`` computes share by share.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from include.transform import invoke_dbt
from tests import random_market
from tests.basket_engine import Basket, Market, Member, Series, months_before
from tests.integration.test_baskets_recomputed import accept_everything
from tests.integration.test_baskets_recomputed import real_market as real_market
from tests.pipeline import ask_warehouse, copy_project, ingest_all, own_build, write_csv

TOLERANCE = 1e-9
PERIODS = ("1d", "wtd", "mtd", "qtd", "ytd", "1m", "3m", "6m", "1y", "3y", "5y")
OLDEST_BASE = timedelta(days=10)
COVERAGE = 0.8
INDICES = {"^NDX": ("XNYS", "USD"), "^GSPC": ("XNYS", "USD"), "^HSI": ("XHKG", "HKD"), "HSTECH.HK": ("XHKG", "HKD")}
EVENT = date(2023, 4, 8)
"""A Saturday in the drawn market, after the holidays around Easter."""
SEED = 7


def target(period: str, day: date) -> date:
    """The last day whose close may be the base."""
    if period == "wtd":
        return day - timedelta(days=day.isoweekday())
    starts = {"mtd": day.month, "qtd": (day.month - 1) // 3 * 3 + 1, "ytd": 1}
    if period in starts:
        return date(day.year, starts[period], 1) - timedelta(days=1)
    return months_before(day, int(period[0]) * (12 if period[1] == "y" else 1))


def bases(days: list[date], index: int) -> list[date | None]:
    """The day that each period to ``days[index]`` is measured from, or None."""
    found: list[date | None] = [days[index - 1] if index else None]
    for period in PERIODS[1:]:
        wanted = target(period, days[index])
        position = bisect_right(days, wanted)
        found.append(days[position - 1] if position and wanted - days[position - 1] <= OLDEST_BASE else None)
    return found


def returns(*series: Series) -> Iterator[tuple[date, list[float | None]]]:
    """Of each day, the returns of all periods of the first series, then of the next; all have the same days."""
    days = list(series[0])
    for index, day in enumerate(days):
        starts = bases(days, index)
        yield day, [None if base is None else each[day] / each[base] - 1 for each in series for base in starts]


def assert_rows(settings: Settings, sql: str, keys: int, expected: dict[tuple[Any, ...], list[float | None]]) -> None:
    """The same keys, and NULL for None; numbers to 1e-9, relative above 1."""
    actual = {row[:keys]: row[keys:] for row in ask_warehouse(settings, sql)}
    assert actual.keys() == expected.keys(), sorted(actual.keys() ^ expected.keys())[:3]
    assert actual
    told, wanted = (np.array([table[key] for key in expected], dtype=float) for table in (actual, expected))
    near = (np.isnan(told) & np.isnan(wanted)) | (np.abs(told - wanted) <= TOLERANCE * np.maximum(1, np.abs(wanted)))
    off = [
        (key, actual[key], expected[key])
        for key, is_near in zip(expected, near.all(axis=1), strict=True)
        if not is_near
    ]
    assert not off, f"{len(off)} rows differ, such as {off[0]}"


def return_columns(*prefixes: str) -> str:
    return ", ".join(prefix + period for prefix in prefixes for period in PERIODS)


def so_far_highest(series: Series) -> Series:
    highest, record = 0.0, {}
    for day, value in series.items():
        highest = max(highest, value)
        record[day] = highest
    return record


@pytest.fixture(scope="module")
def real(built_real_store: Settings, real_market: Market, market_data: Path) -> tuple[Settings, Market]:
    closes = dict(real_market.closes)
    prices = pd.read_csv(market_data / "prices.csv", parse_dates=["date"])
    for row in prices[prices["symbol"].isin(INDICES)].itertuples():
        closes.setdefault(row.symbol, {})[row.date.date()] = row.close
    exchange = {**real_market.exchange, **{symbol: place for symbol, (place, _) in INDICES.items()}}
    currency = {**real_market.currency, **{symbol: money for symbol, (_, money) in INDICES.items()}}
    return built_real_store, replace(real_market, closes=closes, exchange=exchange, currency=currency)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Market]:
    """A market drawn at random, with an index in each of its exchanges, three baskets and an event; marts without gate 2."""
    root = tmp_path_factory.mktemp("drawn")
    project, random = root / "dbt_project", Random(SEED)
    copy_project(project)
    market, seeds = random_market.draw_market(SEED, project), project / "seeds"
    for symbol, exchange, currency in (("^HX", "XHKG", "HKD"), ("^UX", "XNYS", "USD")):
        market.exchange[symbol], market.currency[symbol] = exchange, currency
        level, days = (
            10_000.0,
            [day for day in market.sessions[exchange] if random_market.FIRST <= day <= random_market.LAST],
        )
        market.closes[symbol] = {day: (level := level * float(np.exp(random.gauss(0.0002, 0.015)))) for day in days}
        with (seeds / "securities.csv").open("a") as file:
            file.write(f"{symbol},Index {symbol},index,{exchange},{currency},\n")
    exchanges = (seeds / "exchanges.csv").read_text().splitlines()
    write_csv(
        seeds / "exchanges.csv",
        exchanges[0],
        *(row + ("^HX" if row.startswith("XHKG") else "^UX") for row in exchanges[1:]),
    )
    write_csv(seeds / "market_events.csv", "event_id,name,date,description", f"drawn,a drawn event,{EVENT},A Saturday")
    random_market.write_baskets(
        seeds,
        [
            Basket("hong_kong", "equal", "annual", (Member("H4"), Member("H5"), Member("H7"))),
            Basket("mixed", "equal", "monthly", (Member("H1"), Member("U1"), Member("U7"))),
            Basket("late", "equal", "none", (Member("U3"), Member("U5"))),
        ],
    )
    pairs = ("hong_kong,mixed", "mixed,hong_kong", "late,mixed", "hong_kong,late")
    write_csv(seeds / "basket_pairs.csv", "basket_id,comparator_basket_id", *pairs)
    market = replace(market)  # with the indices in its tables
    random_market.write_export(market, root / "files", random_market.FIRST, random_market.LAST)
    settings = load_settings(
        source="files",
        files_dir=str(root / "files"),
        exported_at=str(random_market.LAST),
        data_dir=str(root / "data"),
        dbt_project_dir=str(project),
    )
    ingest_all(settings, random_market.LAST)
    accept_everything(settings)
    marts = (
        "fct_security_daily",
        "fct_index_daily",
        "fct_basket_comparison_daily",
        "fct_basket_valuation_daily",
        "fct_event_windows",
        "fct_corporate_actions",
    )
    invoke_dbt(settings, ["build", "--exclude-resource-type", "unit_test", "--select", *(f"+{mart}" for mart in marts)])
    return settings, market


@pytest.fixture(params=["real", pytest.param("drawn", marks=own_build)])
def told(request: pytest.FixtureRequest) -> tuple[Settings, Market]:
    """A store and all that its vendor told."""
    store: tuple[Settings, Market] = request.getfixturevalue(request.param)
    return store


@pytest.fixture(params=["real", pytest.param("drawn", marks=own_build), "sample"])
def store(request: pytest.FixtureRequest) -> Settings:
    if request.param == "sample":
        settings: Settings = request.getfixturevalue("built_sample_store")
        return settings
    settings, _ = request.getfixturevalue(request.param)
    return settings


def carried(market: Market, symbol: str) -> Series:
    """The close of each session from the first price on, for one share of the last day."""
    series = {}
    for day in market.sessions[market.exchange[symbol]]:
        if day <= market.last_day and (close := market.close(symbol, day)) is not None:
            series[day] = close / market.split_factor(symbol, day, market.last_day)
    return series


def is_index(symbol: str) -> bool:
    return symbol.startswith("^") or symbol in INDICES


def test_securities(told: tuple[Settings, Market]) -> None:
    """Closes, dollars, a holding whose dividends buy more of it, market value, and 33 returns of each session."""
    settings, market = told
    expected: dict[tuple[Any, ...], list[float | None]] = {}
    for symbol in market.closes:
        if is_index(symbol):
            continue
        closes = carried(market, symbol)
        dollars = {day: close * market.dollars(symbol, day) for day, close in closes.items()}
        first = next(iter(closes))
        held, holding = 100 / closes[first], {}
        for day, close in closes.items():
            dividend = market.dividends.get(symbol, {}).get(day, 0.0) if day > first else 0.0
            held *= 1 + dividend / market.split_factor(symbol, day, market.last_day) / close
            holding[day] = held * close
        records = so_far_highest(closes)
        for day, values in returns(closes, dollars, holding):
            count, _, _ = market.share_count(symbol, day)
            worth = None if count is None else dollars[day] * count * market.split_factor(symbol, day, market.last_day)
            expected[symbol, day] = [
                closes[day],
                dollars[day],
                holding[day],
                closes[day] / records[day] - 1,
                worth,
                *values,
            ]
    columns = return_columns("return_", "return_usd_", "total_return_")
    assert_rows(
        settings,
        f"select symbol, date, close, close_usd, total_return_index, drawdown, market_value_usd, {columns} from marts.fct_security_daily",
        2,
        expected,
    )


def test_indices(told: tuple[Settings, Market]) -> None:
    settings, market = told
    expected: dict[tuple[Any, ...], list[float | None]] = {}
    for symbol in filter(is_index, market.closes):
        levels = carried(market, symbol)
        records = so_far_highest(levels)
        for day, values in returns(levels):
            expected[symbol, day] = [levels[day], records[day], levels[day] / records[day] - 1, *values]
    assert_rows(
        settings,
        f"select symbol, date, level, record_high, drawdown, {return_columns('return_')} from marts.fct_index_daily",
        2,
        expected,
    )


def basket_levels(settings: Settings) -> dict[tuple[str, str, str], Series]:
    levels: dict[tuple[str, str, str], Series] = defaultdict(dict)
    rows = ask_warehouse(
        settings, "select basket_id, currency_basis, return_type, date, level from marts.fct_basket_daily order by date"
    )
    for *key, day, level in rows:
        levels[key[0], key[1], key[2]][day] = level
    return levels


def test_baskets(store: Settings) -> None:
    expected: dict[tuple[Any, ...], list[float | None]] = {}
    for key, levels in basket_levels(store).items():
        records = so_far_highest(levels)
        base = min(levels)
        for day, values in returns(levels):
            if day.year == base.year:
                values[PERIODS.index("ytd")] = levels[day] / levels[base] - 1
            expected[(*key, day)] = [levels[day] / records[day] - 1, *values]
    assert_rows(
        store,
        f"select basket_id, currency_basis, return_type, date, drawdown, {return_columns('return_')} from marts.fct_basket_daily",
        4,
        expected,
    )


def last_value(series: dict[date, Any], day: date) -> Any:
    days = list(series)
    position = bisect_right(days, day)
    return series[days[position - 1]] if position else None


def test_pairs(store: Settings) -> None:
    """Each basket over the ones it is compared with, on the days of either from the later one's first on; and its discount, where both are covered."""
    levels, compared = basket_levels(store), load_reference(store.seeds_dir).compared
    multiples: dict[str, dict[date, tuple[float | None, float | None]]] = defaultdict(dict)
    for basket, day, multiple, coverage in ask_warehouse(
        store,
        "select basket_id, date, forward_pe_aggregate, coverage_ratio from marts.fct_basket_valuation_daily order by date",
    ):
        multiples[basket][day] = (multiple, coverage)
    expected: dict[tuple[Any, ...], list[float | None]] = {}
    for (basket, basis, kind), own in levels.items():
        for (comparator, other_basis, other_kind), other in levels.items():
            if (basket, comparator) not in compared or (basis, kind) != (other_basis, other_kind):
                continue
            first = max(min(own), min(other))
            days = [day for day in sorted({*own, *other}) if day >= first]
            one, two = ({day: last_value(series, day) for day in days} for series in (own, other))
            for (day, mine), (_, theirs) in zip(returns(one), returns(two), strict=True):
                excess = [None if a is None or b is None else a - b for a, b in zip(mine, theirs, strict=True)]
                relative = 100 * one[day] / two[day] / (one[first] / two[first])
                (own_pe, own_coverage), (other_pe, other_coverage) = (
                    last_value(multiples[name], day) or (None, None) for name in (basket, comparator)
                )
                is_covered = min(own_coverage or 0, other_coverage or 0) >= COVERAGE
                discount = 1 - own_pe / other_pe if is_covered and own_pe and other_pe else None
                expected[basket, comparator, basis, kind, day] = [relative, discount, *excess]
    assert_rows(
        store,
        "select basket_id, comparator_basket_id, currency_basis, return_type, date, relative_level, forward_pe_discount, "
        f"{return_columns('excess_return_')} from marts.fct_basket_comparison_daily",
        5,
        expected,
    )


def test_the_sample_has_discounts(built_sample_store: Settings) -> None:
    """Else the one above would compare nothing with nothing."""
    ((discounts,),) = ask_warehouse(
        built_sample_store, "select count(forward_pe_discount) from marts.fct_basket_comparison_daily"
    )
    assert discounts > 1000


def test_windows_of_a_drawn_event(drawn: tuple[Settings, Market]) -> None:
    """Securities and indices from 20 sessions before to 60 after, equities over the index of their exchange on the same days."""
    settings, market = drawn
    series = {symbol: carried(market, symbol) for symbol in market.closes}
    yardsticks = {"XHKG": "^HX", "XNYS": "^UX"}
    expected: dict[tuple[Any, ...], list[float | None]] = {}
    for symbol, levels in series.items():
        days = list(levels)
        zero = bisect_right(days, EVENT) - 1
        if zero < 0 or (EVENT - days[zero]) > OLDEST_BASE:
            continue
        yardstick = None if is_index(symbol) else series[yardsticks[market.exchange[symbol]]]
        for offset in range(max(-20, -zero), min(60, len(days) - 1 - zero) + 1):
            day = days[zero + offset]
            gained = levels[day] / levels[days[zero]] - 1
            excess = (
                None
                if yardstick is None
                else gained - (last_value(yardstick, day) / last_value(yardstick, days[zero]) - 1)
            )
            expected[symbol, offset, day] = [gained, excess]
    assert_rows(
        settings,
        "select subject_id, session_offset, date, cumulative_return, excess_return from marts.fct_event_windows where subject_kind <> 'basket'",
        3,
        expected,
    )


def test_actions_of_the_drawn_market(drawn: tuple[Settings, Market]) -> None:
    """Every dividend for one share of the last day, every split as it was."""
    settings, market = drawn
    expected: dict[tuple[Any, ...], list[float | None]] = {}
    for symbol, dividends in market.dividends.items():
        for day, dividend in dividends.items():
            expected[symbol, day, "dividend"] = [dividend / market.split_factor(symbol, day, market.last_day)]
    for symbol, splits in market.splits.items():
        for day, ratio in splits.items():
            expected[symbol, day, "split"] = [ratio]
    assert_rows(settings, "select symbol, date, action, value from marts.fct_corporate_actions", 3, expected)
