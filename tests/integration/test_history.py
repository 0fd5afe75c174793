"""Restatement-proof history: the same truth, fetched at other times and in other pieces, and loaded in another order, ends in the same marts."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb
import hypothesis as h
import pytest
from hypothesis import strategies as st

from include import build
from include.errors import TitansError
from include.settings import Settings, load_settings
from include.sources.base import Dataset
from tests import small_world
from tests.pipeline import ask_warehouse, build_compared, copy_project, different_marts, new_run, own_build
from tests.small_world import Change, Delivery, Fetch, World

pytestmark = own_build
LAST = small_world.LAST
WORLD = World(
    changes=(
        Change(Dataset.PRICES, "BB", date(2024, 12, 11), told_on=date(2024, 12, 19), factor=1.05),
        Change(Dataset.PRICES, "AA", date(2024, 12, 2), told_on=date(2024, 12, 13), factor=0.96),
        Change(Dataset.PRICES, "AA", date(2024, 12, 2), told_on=date(2025, 1, 20), factor=1.03),
        Change(Dataset.PRICES, "1.HK", date(2024, 12, 16), told_on=date(2024, 12, 18), factor=1.04),
        Change(Dataset.SHARES, "AA", date(2024, 11, 18), told_on=date(2025, 1, 8), factor=1.1),
        Change(Dataset.ESTIMATES, "1.HK", date(2024, 12, 9), told_on=date(2024, 12, 20), factor=1.2),
        Change(Dataset.FX_RATES, "HKD", date(2024, 12, 10), told_on=date(2025, 1, 8), factor=1.01),
    ),
    late_dividends=(
        Change(Dataset.PRICES, "BB", date(2024, 12, 3), told_on=date(2025, 1, 8), factor=0.4),
        Change(Dataset.PRICES, "AA", date(2024, 12, 6), told_on=date(2024, 12, 12), factor=8.0),
    ),
)
OF = {
    Dataset.PRICES: small_world.SYMBOLS,
    Dataset.FX_RATES: small_world.PAIRS,
    Dataset.SHARES: small_world.EQUITIES,
    Dataset.ESTIMATES: small_world.EQUITIES,
}


def whole_history(dataset: Dataset, symbols: Sequence[str], minute: int) -> Fetch:
    return Fetch(dataset, tuple(symbols), None, LAST, datetime(LAST.year, LAST.month, LAST.day, 23, minute, tzinfo=UTC))


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Everything fetched once, at the end, when all is known."""
    settings = empty_store(tmp_path_factory.mktemp("straight"))
    for dataset, symbols in OF.items():
        small_world.land_delivery(settings, WORLD.answer(whole_history(dataset, symbols, 0)), "straight")
    assert gate(settings) == set()
    build_compared(settings)
    return settings


def empty_store(folder: Path) -> Settings:
    project = copy_project(folder / "dbt_project")
    return load_settings(data_dir=str(folder / "data"), dbt_project_dir=str(small_world.write_seeds(project)))


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[Fetch]]:
    """Fetches of random symbols and windows at random times, and those that are still missing or outdated then, at the end; in any order, in some builds.

    An answer reaches up to its own day, so no window ends after it.
    """
    fetches = []
    for number in range(draw(st.integers(2, 9))):
        dataset = draw(st.sampled_from([Dataset.PRICES, Dataset.PRICES, *OF]))
        symbols = draw(st.lists(st.sampled_from(OF[dataset]), min_size=1, unique=True))
        fetched_on = small_world.FIRST + timedelta(days=draw(st.integers(5, (LAST - small_world.FIRST).days)))
        end = fetched_on - timedelta(days=draw(st.sampled_from([0, 0, 0, 1, 12])))
        start = draw(st.sampled_from([None, end - timedelta(days=14), end - timedelta(days=40)]))
        moment = datetime(fetched_on.year, fetched_on.month, fetched_on.day, 22, number, tzinfo=UTC)
        fetches.append(Fetch(dataset, tuple(symbols), start, end, moment))
    fetches += list(_missing(fetches))
    order = draw(st.permutations(fetches))
    cuts = sorted(draw(st.lists(st.integers(1, len(order)), max_size=3)))
    return [
        list(order[first:last]) for first, last in zip([0, *cuts], [*cuts, len(order)], strict=True) if first < last
    ]


def _missing(fetches: Sequence[Fetch]) -> list[Fetch]:
    """One window for each dataset and symbol, over the days that no fetch has covered since they changed last."""
    changes = (*WORLD.changes, *WORLD.late_dividends)
    missing = []
    for number, (dataset, symbol) in enumerate(
        (dataset, symbol) for dataset, symbols in OF.items() for symbol in symbols
    ):
        days = []
        for row in WORLD.answer(whole_history(dataset, [symbol], 0)).rows:
            day = row.get("date") or row["as_of"]
            told_on = max(
                (c.told_on for c in changes if (c.dataset, c.symbol, c.day) == (dataset, symbol, day)), default=day
            )
            if not any(
                fetch.dataset is dataset
                and symbol in fetch.symbols
                and (fetch.start or date.min) <= day <= fetch.end
                and fetch.fetched_at.date() >= told_on
                for fetch in fetches
            ):
                days.append(day)
        if days:
            moment = datetime(LAST.year, LAST.month, LAST.day, 22, 30 + number, tzinfo=UTC)
            missing.append(Fetch(dataset, (symbol,), min(days), max(days), moment))
    return missing


def gate(settings: Settings) -> set[tuple[str, str]]:
    """Load what has landed and judge it; returns dataset and symbol of whatever has ever been kept out."""
    run = new_run(settings)
    with contextlib.suppress(
        TitansError
    ):  # a fifth of the symbols in quarantine stops a build; the next delivery heals them
        build.load(settings, run)
        build.check_raw(settings, run)
    with duckdb.connect(str(settings.store.warehouse), read_only=True) as connection:
        return set(
            connection.execute(
                "select distinct dataset, symbol from raw.current_verdicts where verdict = 'quarantined'"
            ).fetchall()
        )


@h.settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(h.HealthCheck),
    print_blob=True,
)
@h.given(groups=arrivals())
def test_any_order_and_any_pieces_end_in_the_same_marts(
    straight: Settings, tmp_path_factory: pytest.TempPathFactory, groups: list[list[Fetch]]
) -> None:
    """What gate 1 keeps out on the way, since a neighbour had not arrived, is fetched again at the end, as the ingest DAGs do."""
    settings = empty_store(tmp_path_factory.mktemp("arrivals"))
    kept_out: set[tuple[str, str]] = set()
    for number, group in enumerate(groups):
        for place, fetch in enumerate(group):
            small_world.land_delivery(settings, WORLD.answer(fetch), f"group{number}-{place}")
        kept_out = gate(settings)
    for place, (dataset, name) in enumerate(sorted(kept_out)):
        symbol = name.removeprefix("USD") if dataset == Dataset.FX_RATES else name
        small_world.land_delivery(
            settings, WORLD.answer(whole_history(Dataset(dataset), [symbol], place)), f"heal-{place}"
        )
    assert gate(settings) == kept_out, "a whole and right delivery must be let in"
    assert_equal_marts(settings, straight)


def test_a_vendor_that_tells_of_a_split_before_it_adjusts_is_kept_out_until_it_does(
    straight: Settings, tmp_path: Path
) -> None:
    """On the day of Alpha's split of 10 for 1 the vendor gives the event, the day's close of a tenth, and the two weeks before as they were.

    The unit is kept out, event and all; two days later the vendor has adjusted, and what is older stays as it was told before the split.
    """
    settings = empty_store(tmp_path)
    split_day, healed_on = date(2024, 12, 10), date(2024, 12, 12)

    def fetch(first: date, last: date, fetched_on: date) -> Delivery:
        return WORLD.answer(Fetch(Dataset.PRICES, ("AA",), first, last, datetime.combine(fetched_on, time(22), UTC)))

    small_world.land_delivery(settings, fetch(small_world.FIRST, date(2024, 12, 9), date(2024, 12, 9)), "before")
    for place, (dataset, symbols) in enumerate(OF.items()):
        others = [symbol for symbol in symbols if (dataset, symbol) != (Dataset.PRICES, "AA")]
        small_world.land_delivery(settings, WORLD.answer(whole_history(dataset, others, place)), "others")
    assert gate(settings) == set()

    right = fetch(date(2024, 11, 26), split_day, split_day)
    unadjusted = tuple(
        {**small_world.put_on_basis(row, Dataset.PRICES, "AA", date(2024, 12, 9)), "basis_date": split_day}
        if row["date"] < split_day
        else row
        for row in right.rows
    )
    small_world.land_delivery(settings, replace(right, rows=unadjusted), "tardy")
    assert gate(settings) == {("prices", "AA")}
    with duckdb.connect(str(settings.store.warehouse), read_only=True) as connection:
        ((reasons,),) = connection.execute("select reasons from raw.unhealed_units").fetchall()
    assert any(
        reason.startswith("prices_on_one_basis: the price moves with the split of 2024-12-10 (ratio 10.0)")
        for reason in reasons
    )

    small_world.land_delivery(settings, fetch(date(2024, 11, 26), healed_on, healed_on), "healed")
    small_world.land_delivery(settings, fetch(date(2024, 12, 2), LAST, LAST), "to the end")
    assert gate(settings) == {("prices", "AA")}, "nothing else is kept out"
    assert_equal_marts(settings, straight)


def assert_equal_marts(settings: Settings, straight: Settings) -> None:
    """No unit waits for a good delivery, and every row of the marts is that of the straight store."""
    assert ask_warehouse(settings, "select symbol from raw.unhealed_units") == []
    assert different_marts(settings, straight.store.warehouse) == []
