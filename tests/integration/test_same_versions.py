"""Raw stores the same versions, whether deliveries are loaded one a build, all at once, in another order or anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis as h
import pyarrow as pa
import pytest
from hypothesis import strategies as st

from include.gates import raw_gate
from include.landing.batches import BatchKey, FetchWindow, land
from include.landing.index import LandingIndex
from include.raw.load import load_landing
from include.raw.store import open_warehouse
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from include.sources.base import SCHEMAS, Dataset, Extract
from tests.pipeline import own_build

DAYS = [date(2025, 3, day) for day in (3, 4, 5, 6, 7)]
NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
TABLES = {
    "prices": "symbol, date, close",
    "corporate_actions": "symbol, date, action, value, currency",
    "fx_rates": "base_currency, quote_currency, date, rate",
}


@dataclass(frozen=True)
class Told:
    """What one delivery says: by day a close (None: no row), a dividend and a split ratio, or else rates."""

    fetched_at: datetime
    landed_at: datetime
    closes: tuple[float | None, ...]
    dividends: tuple[float, ...]
    splits: tuple[float, ...]
    is_fx: bool = False


def land_told(settings: Settings, told: Told, name: str) -> None:
    days = list(zip(DAYS, told.closes, told.dividends, told.splits, strict=False))
    if told.is_fx:
        dataset, symbol = Dataset.FX_RATES, "USDHKD"
        rows: list[dict[str, Any]] = [
            {"base_currency": "USD", "quote_currency": "HKD", "date": day, "rate": close / 64}
            for day, close, *_ in days
            if close
        ]
    else:
        dataset, symbol = Dataset.PRICES, "0700.HK"
        rows = [
            {
                "symbol": symbol, "date": day, "close": close, "dividend": dividend, "split_ratio": split,
                "currency": "HKD", "basis_date": told.fetched_at.date(),
            }
            for day, close, dividend, split in days
            if close is not None
        ]  # fmt: skip
    window = FetchWindow(
        symbol=symbol, start=DAYS[0], end=DAYS[-1], rows=len(rows), first=DAYS[0] if rows else None, last=None
    )
    extract = Extract(pa.Table.from_pylist(rows, schema=SCHEMAS[dataset]), told.fetched_at)
    land(settings.store, BatchKey(dataset, "hk", 1, name, 1), extract, [window], landed_at=told.landed_at)


def load_and_accept(settings: Settings) -> None:
    """Load what has landed; every unit is accepted, as gate 1 does with good ones."""
    with open_warehouse(settings.store) as connection:
        load_landing(connection, LandingIndex(settings.store), load_reference(settings.seeds_dir), [])
        pending = connection.execute(
            "select batch_id, dataset, symbol from raw.fetch_windows "
            "where (batch_id, symbol) not in (select (batch_id, symbol) from raw.current_verdicts)"
        ).fetchall()
        raw_gate.record_verdicts(connection, pending, [])


def stored(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Every version, with its place in the order and the time from which it could be known; and what was rejected."""
    with open_warehouse(settings.store) as connection:
        versions = {
            table: connection.execute(
                f"select {columns}, basis_date, fetched_at, landed_at, known_from, batch_id from raw.{table} order by all"
            ).fetchall()
            for table, columns in TABLES.items()
        }
        rejected = connection.execute("select * exclude (loaded_at) from raw.rejected_rows order by all").fetchall()
    return {**versions, "rejected_rows": rejected}


def raw_of(folder: Path, told: Sequence[Told], groups: Sequence[Sequence[int]]) -> dict[str, list[tuple[Any, ...]]]:
    """What a store holds into which these groups of deliveries were loaded, one group a build."""
    settings = load_settings(data_dir=str(folder))
    for group in groups:
        for number in group:
            land_told(settings, told[number], f"delivery {number}")
        load_and_accept(settings)
    return stored(settings)


@st.composite
def deliveries(draw: st.DrawFn) -> list[Told]:
    """Three or four, some of one fetch time, each silent on some days; splits and dividends come and go."""
    count = draw(st.integers(3, 4))
    is_fx = draw(st.booleans())
    told = []
    for number in range(count):
        fetched_at = NOON + timedelta(days=draw(st.integers(0, 2)))
        told.append(
            Told(
                fetched_at,
                NOON + timedelta(days=9, seconds=number),
                tuple(draw(st.sampled_from([None, 500.0, 500.0, 510.0, 0.0])) for _ in range(3)),
                tuple(draw(st.sampled_from([0.0, 0.0, 4.5])) for _ in range(3)),
                tuple(draw(st.sampled_from([0.0, 0.0, 0.0, 4.0])) for _ in range(3)),
                is_fx,
            )
        )
    return told


@own_build
@h.settings(max_examples=40, deadline=None, suppress_health_check=[h.HealthCheck.function_scoped_fixture])
@h.given(told=deliveries(), order=st.randoms(use_true_random=False))
def test_any_order_any_grouping_and_a_rebuild_store_the_same_versions(
    tmp_path_factory: pytest.TempPathFactory, told: list[Told], order: Any
) -> None:
    """Loaded one by one as they come, in another order, all in one build, and in pairs."""
    folder = tmp_path_factory.mktemp("versions")
    in_order = sorted(range(len(told)), key=lambda number: (told[number].fetched_at, told[number].landed_at))
    shuffled = list(in_order)
    order.shuffle(shuffled)
    daily = raw_of(folder / "daily", told, [[number] for number in in_order])
    assert raw_of(folder / "shuffled", told, [[number] for number in shuffled]) == daily
    assert raw_of(folder / "at once", told, [shuffled]) == daily
    assert raw_of(folder / "pairs", told, [shuffled[:2], shuffled[2:]]) == daily


def test_a_rebuild_stores_no_more_than_daily_loading(tmp_path: Path) -> None:
    """Ten deliveries that overlap: each adds a day or restates one. Rebuilt, the store holds the same rows."""
    told = [
        Told(
            NOON + timedelta(days=number),
            NOON + timedelta(days=number, minutes=1),
            tuple(500.0 + day + (number == 7 and day == 2) for day in range(min(number + 1, 5))),
            (0.0,) * 5,
            (0.0,) * 5,
        )
        for number in range(10)
    ]
    settings = load_settings(data_dir=str(tmp_path))
    for number, delivery in enumerate(told):
        land_told(settings, delivery, f"delivery {number}")
        load_and_accept(settings)
    daily = stored(settings)
    # Five days, one of them restated and put right again.
    assert len(daily["prices"]) == 7
    settings.store.warehouse.unlink()
    load_and_accept(settings)
    assert stored(settings) == daily


def test_a_rejected_row_stands_with_the_first_delivery_that_has_it(tmp_path: Path) -> None:
    """Two deliveries with the same close of zero, loaded in order, the other way round and at once."""
    told = [
        Told(NOON + timedelta(days=number), NOON + timedelta(days=9 - number), (500.0, 0.0), (0.0, 0.0), (0.0, 0.0))
        for number in range(2)
    ]
    in_order = raw_of(tmp_path / "in order", told, [[0], [1]])
    (rejected,) = in_order["rejected_rows"]
    assert rejected[-1] == NOON.replace(tzinfo=None)
    assert raw_of(tmp_path / "the other way", told, [[1], [0]]) == in_order
    assert raw_of(tmp_path / "at once", told, [[1, 0]]) == in_order


def test_the_same_wrong_value_on_another_day_is_another_rejected_row(tmp_path: Path) -> None:
    """A close of zero on two days, each in a delivery of its own."""
    told = [
        Told(NOON + timedelta(days=number), NOON + timedelta(days=9), closes, (0.0, 0.0), (0.0, 0.0))
        for number, closes in enumerate([(0.0, None), (None, 0.0)])
    ]
    in_order = raw_of(tmp_path / "in order", told, [[0], [1]])
    assert [row[2] for row in in_order["rejected_rows"]] == DAYS[:2]
    assert raw_of(tmp_path / "the other way", told, [[1], [0]]) == in_order
