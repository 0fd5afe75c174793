"""Baskets against a portfolio simulated share by share (``tests/basket_engine.py``): levels, weights, contributions, market values and their parts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from include import build
from include.gates import marts_gate
from include.gates.runner import run_checks
from include.runs.releases import quarantined_units, record_release
from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from include.transform import invoke_dbt
from tests import random_market
from tests.basket_engine import Basket, Market, Member, Outcome, Simulation
from tests.pipeline import ingest_all, new_run, own_build

TOLERANCE = 1e-9
CENT = 0.01
TITANS = ("9988.HK", "0700.HK", "1810.HK", "1211.HK", "0981.HK", "9618.HK", "9999.HK")
MAG7 = ("AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA")
MARTS = ("dim_baskets", "fct_basket_daily", "fct_basket_member_daily", "fct_basket_market_value_daily")
# RANDOM_MARKETS=20 draws more of them.
SEEDS = range(int(os.environ.get("RANDOM_MARKETS", "1")))


def build_baskets(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Seeds to basket marts, and a reader of them."""
    invoke_dbt(settings, ["build", "--exclude-resource-type", "unit_test", "--select", *(f"+{mart}" for mart in MARTS)])
    return duckdb.connect(str(settings.store.warehouse), read_only=True)


def assert_rows(rows: list[tuple[Any, ...]], keys: int, expected: dict[Any, tuple[Any, ...]], what: str) -> None:
    """The same keys, and for each the same values: NULL for None, and numbers within 1e-9, relative above 1."""
    actual = {row[:keys]: row[keys:] for row in rows}
    assert actual.keys() == expected.keys(), (
        f"{what}: rows differ, such as {sorted(actual.keys() ^ expected.keys())[:3]}"
    )
    if not expected:
        return
    told, wanted = (np.array([table[key] for key in expected], dtype=float) for table in (actual, expected))
    near = (np.isnan(told) & np.isnan(wanted)) | (np.abs(told - wanted) <= TOLERANCE * np.maximum(1, np.abs(wanted)))
    off = [
        (key, actual[key], expected[key])
        for key, is_near in zip(expected, near.all(axis=1), strict=True)
        if not is_near
    ]
    assert not off, (
        f"{what}: {len(off)} rows differ; of {off[0][0]} the mart says {off[0][1]}, the portfolio {off[0][2]}"
    )


def assert_as_simulated(marts: duckdb.DuckDBPyConnection, market: Market, basket: Basket) -> Outcome:
    outcome = Simulation(market, basket).run()
    name = basket.basket_id

    def ask(sql: str) -> list[tuple[Any, ...]]:
        return marts.execute(sql, [name]).fetchall()

    rows = ask(
        "select date, currency_basis, return_type, level, members, members_priced from marts.fct_basket_daily where basket_id = ?"
    )
    assert_rows(
        rows, 3, {key: (level, *outcome.counts[key[0]]) for key, level in outcome.levels.items()}, f"level of {name}"
    )
    rows = ask(
        "select symbol, date, currency_basis, return_type, weight_open, weight_close, return_1d, contribution_1d, contribution_wtd, contribution_mtd, "
        "contribution_ytd, contribution_1m, contribution_3m, contribution_1y, contribution_since_base "
        "from marts.fct_basket_member_daily where basket_id = ?",
    )
    assert_rows(rows, 4, outcome.members, f"member of {name}")
    rows = ask(
        "select date, market_value_usd, price_effect_usd, fx_effect_usd, issuance_effect_usd, membership_effect_usd, change_ytd_usd "
        "from marts.fct_basket_market_value_daily where basket_id = ?",
    )
    parts = {day: (None,) * 4 if effects is None else effects for day, effects in outcome.effects.items()}
    # An effect is as exact as the value that it is a part of.
    scale = max((value for value in outcome.values.values() if value), default=1.0)
    assert_rows(
        [(row[0], *(None if value is None else value / scale for value in row[1:6])) for row in rows],
        1,
        {
            (day,): tuple(None if value is None else value / scale for value in (outcome.values[day], *parts[day]))
            for day in outcome.values
        },
        f"market value of {name}",
    )
    for day, _, *effects, change in rows:
        # To the cent, or to the last digits that doubles of such market values hold, as in the gate.
        assert change is None or abs(sum(effects) - change) < max(CENT, 1e-14 * scale), (
            f"parts of {name} on {day} do not add up to the cent"
        )
    return outcome


@own_build
@pytest.mark.parametrize("seed", SEEDS)
def test_random_markets(seed: int, tmp_path: Path, project_copy: Path) -> None:
    market, baskets = random_market.draw_market(seed, project_copy), random_market.draw_baskets(seed)
    random_market.write_baskets(project_copy / "seeds", baskets)
    settings = load_settings(source="files", data_dir=str(tmp_path / "data"), dbt_project_dir=str(project_copy))
    for first, last in ((random_market.FIRST, random_market.MIDDLE), (random_market.MIDDLE, random_market.LAST)):
        random_market.write_export(market, tmp_path / str(last), first, last)
        delivery = load_settings(
            source="files",
            files_dir=str(tmp_path / str(last)),
            exported_at=str(last),
            data_dir=str(tmp_path / "data"),
            dbt_project_dir=str(project_copy),
        )
        ingest_all(delivery, last)
        settings = delivery
    accept_everything(settings)
    with build_baskets(settings) as marts:
        outcomes = {basket.basket_id: assert_as_simulated(marts, market, basket) for basket in baskets}
    assert sum(bool(outcome.levels) for outcome in outcomes.values()) >= len(baskets) - 4, "the draw must not be empty"
    assert any(held > priced for outcome in outcomes.values() for held, priced in outcome.counts.values()), (
        "somebody must stop trading"
    )
    tables = {f"marts.{mart}" for mart in MARTS}
    wanted = [check for check in marts_gate.checks(settings.dbt_project_dir) if check.table in tables]
    checks = run_checks("check_marts", settings.store.warehouse, wanted)
    assert [
        (check.name, check.message, check.examples[:3]) for check in checks if check.status in ("failed", "error")
    ] == []


def accept_everything(settings: Settings) -> None:
    """Gate 1 keeps out what has stopped trading; a person lets it in."""
    for _ in range(2):
        run = new_run(settings)
        build.load(settings, run)
        build.check_raw(settings, run)
        run.finish("2024-03-15")
        for unit in quarantined_units(settings.store):
            record_release(settings.store, unit.batch_id, unit.symbol, "it has stopped trading")


@pytest.fixture(scope="module")
def real_market(market_data: Path) -> Market:
    prices = pd.read_csv(market_data / "prices.csv", parse_dates=["date"])
    prices = prices[prices["symbol"].isin(TITANS + MAG7)]
    series: dict[str, dict[str, dict[date, float]]] = {"close": {}, "dividend": {}}
    for row in prices.itertuples():
        series["close"].setdefault(row.symbol, {})[row.date.date()] = row.close
        if row.dividend:
            series["dividend"].setdefault(row.symbol, {})[row.date.date()] = row.dividend
    official = pd.read_csv(market_data / "official_closes.csv", parse_dates=["date"])
    for row in official[official["confirmed"]].itertuples():
        series["close"][row.symbol][row.date.date()] = row.close
    shares: dict[str, dict[date, float]] = {}
    for row in pd.read_csv(market_data / "shares.csv", parse_dates=["as_of"]).itertuples():
        shares.setdefault(row.symbol, {})[row.as_of.date()] = float(row.shares_outstanding)
    rates: dict[str, dict[date, float]] = {}
    for row in pd.read_csv(market_data / "fx_rates.csv", parse_dates=["date"]).itertuples():
        rates.setdefault(row.quote_currency, {})[row.date.date()] = row.rate
    reference = load_reference(load_settings().seeds_dir)
    return Market(
        last_day=prices["date"].max().date(),
        sessions={name: calendar.dates for name, calendar in load_calendars(reference).items()},
        exchange={row.symbol: row.exchange for row in reference.equities},
        currency={row.symbol: row.currency for row in reference.equities},
        closes=series["close"],
        dividends=series["dividend"],
        splits={},  # the export's prices and counts are on one basis
        shares=shares,
        rates=rates,
    )


def members(*symbols: str) -> tuple[Member, ...]:
    return tuple(Member(symbol) for symbol in symbols)


DEFAULTS = [
    Basket("china_titans", "equal", "annual", members(*TITANS)),
    Basket("magnificent_seven", "equal", "annual", members(*MAG7)),
]
OWN = [
    Basket("global_14", "equal", "annual", members(*TITANS, *MAG7)),
    Basket(
        "moving_14",
        "equal",
        "quarterly",
        (
            *members("0700.HK", "1211.HK", "AAPL", "NVDA"),
            Member("9988.HK", None, date(2022, 8, 15)),
            Member("TSLA", date(2021, 5, 3), date(2023, 12, 31)),
            Member("1810.HK", date(2024, 1, 2), None),
        ),
    ),
    Basket("weighed_quarterly", "market_value", "quarterly", members(*TITANS, *MAG7)),
    Basket(
        "weighed_monthly",
        "market_value",
        "monthly",
        (
            *members("0700.HK", "9988.HK", "AAPL", "MSFT"),
            Member("NVDA", date(2025, 1, 15), None),
            Member("TSLA", None, date(2025, 2, 3)),
        ),
    ),
]


@pytest.fixture(scope="module")
def real_baskets(
    built_real_store: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("baskets")
    shutil.copytree(built_real_store.data_dir, folder / "data", symlinks=True)
    shutil.copytree(
        built_real_store.dbt_project_dir, folder / "dbt_project", ignore=shutil.ignore_patterns("target", "logs")
    )
    random_market.write_baskets(folder / "dbt_project" / "seeds", DEFAULTS + OWN)
    settings = built_real_store.model_copy(
        update={"data_dir": folder / "data", "dbt_project_dir": folder / "dbt_project"}
    )
    with build_baskets(settings) as marts:
        yield marts


@pytest.mark.parametrize("basket", DEFAULTS + OWN, ids=lambda basket: basket.basket_id)
def test_real_prices(real_baskets: duckdb.DuckDBPyConnection, real_market: Market, basket: Basket) -> None:
    outcome = assert_as_simulated(real_baskets, real_market, basket)
    first = min(day for day, *_ in outcome.levels)
    assert first == date(2024, 12, 31) if basket.weighting == "market_value" else first < date(2020, 7, 1)
