"""Three deliveries, loaded in every order and with a rebuild in between, end in the same marts and ops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from math import isclose
from pathlib import Path
from typing import Any

import duckdb
import pytest

from include.settings import Settings, load_settings
from include.sources.base import Dataset
from tests import small_world
from tests.pipeline import copy_project, load_and_judge, transform_only
from tests.small_world import Change, Delivery, Fetch, World

WORLD = World(
    changes=(
        Change(Dataset.PRICES, "AA", date(2025, 1, 15), told_on=date(2025, 1, 31), factor=1.03),
        Change(Dataset.FX_RATES, "HKD", date(2025, 1, 14), told_on=date(2025, 1, 31), factor=1.01),
    ),
)
SYMBOLS = {
    Dataset.PRICES: small_world.SYMBOLS,
    Dataset.FX_RATES: small_world.PAIRS,
    Dataset.SHARES: small_world.EQUITIES,
    Dataset.ESTIMATES: small_world.EQUITIES,
}
LAST = datetime(2025, 1, 31, 22, tzinfo=UTC)
OF_A_BUILD = ("loaded_at", "decided_at")
"""Columns that say when a build did something."""


def answer(fetched_at: datetime, start: date | None, dataset: Dataset) -> Delivery:
    return WORLD.answer(Fetch(dataset, tuple(SYMBOLS[dataset]), start, fetched_at.date(), fetched_at))


def deliveries() -> list[list[Delivery]]:
    """The whole history; of the same time, the last weeks with a close that it has otherwise and a day that it lacks; a day before both, the history."""
    first = [answer(LAST, None, dataset) for dataset in Dataset]
    second = []
    for delivery in (answer(LAST, date(2025, 1, 6), dataset) for dataset in (Dataset.PRICES, Dataset.FX_RATES)):
        rows = [
            {**row, "close": row["close"] * 1.01, "high": row["high"] * 1.01}
            if row.get("symbol") == "BB" and row["date"] == date(2025, 1, 22)
            else row
            for row in delivery.rows
            if (row.get("symbol"), row["date"]) != ("AA", date(2025, 1, 21))
        ]
        second.append(replace(delivery, rows=tuple(rows)))
    third = [answer(LAST - timedelta(days=1), None, dataset) for dataset in Dataset]
    return [first, second, third]


def built(folder: Path, order: Sequence[int], is_rebuilt: bool) -> dict[str, list[tuple[Any, ...]]]:
    """Load the deliveries one a build, in this order; each has landed when it has, whatever the order."""
    project = copy_project(folder / "dbt_project")
    settings = load_settings(data_dir=str(folder / "data"), dbt_project_dir=str(small_world.write_seeds(project)))
    told = deliveries()
    for place, number in enumerate(order):
        for delivery in told[number]:
            landed_at = datetime(2025, 2, 3, 12, number, tzinfo=UTC)
            small_world.land_delivery(settings, delivery, f"delivery {number}", landed_at)
        if is_rebuilt and place == 2:
            settings.store.warehouse.unlink()
        load_and_judge(settings)
    transform_only(settings)
    return contents(settings)


def contents(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(str(settings.store.warehouse), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name in ('marts', 'reports', 'ops') order by all"
        ).fetchall()
        return {
            f"{schema}.{table}": connection.execute(
                f"select columns(name -> name not in {OF_A_BUILD}) from {schema}.{table} order by all"
            ).fetchall()
            for schema, table in tables
        }


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    return built(tmp_path_factory.mktemp("in order"), (2, 0, 1), is_rebuilt=False)


def test_the_deliveries_differ(in_order: dict[str, list[tuple[Any, ...]]]) -> None:
    """Else any order would do: the close of the delivery that landed later counts, and the lacking day stays."""
    assert in_order["ops.quarantined_units"] == []
    assert {row[0] for row in in_order["ops.restatements"]} >= {"BB"}
    assert len(in_order["marts.fct_security_daily"]) > 100


@pytest.mark.parametrize("is_rebuilt", [False, True], ids=["", "rebuilt"])
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_any_order_ends_in_the_same_marts_and_ops(
    in_order: dict[str, list[tuple[Any, ...]]], tmp_path: Path, order: tuple[int, ...], is_rebuilt: bool
) -> None:
    found = built(tmp_path, order, is_rebuilt)
    assert found.keys() == in_order.keys()
    assert [table for table, rows in found.items() if not are_same(rows, in_order[table])] == []


def are_same(rows: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> bool:
    """Floating-point values to a billionth: sums over members are added up in whatever order threads do."""

    def is_same(value: Any, other: Any) -> bool:
        if isinstance(value, float) and isinstance(other, float):
            return isclose(value, other, rel_tol=1e-9, abs_tol=1.001e-9)
        return bool(value == other)

    return len(rows) == len(others) and all(
        is_same(value, other)
        for row, twin in zip(rows, others, strict=True)
        for value, other in zip(row, twin, strict=True)
    )
