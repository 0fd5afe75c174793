"""Point-in-time builds: what could be known by a day, and nothing newer."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from include.publishing.changes import changed_tables
from include.runs import RunRecord
from include.settings import PROJECT_ROOT, Settings, load_settings
from include.sources.base import Dataset
from include.warehouse.store import open_warehouse
from tests import small_world
from tests.pipeline import build_all
from tests.small_world import Change, Delivery, Fetch, World

WORLD = World(
    changes=(
        Change(Dataset.PRICES, "BB", date(2024, 12, 11), told_on=date(2025, 1, 8), factor=1.05),
        Change(Dataset.PRICES, "AA", date(2024, 12, 2), told_on=date(2024, 12, 13), factor=0.96),
        Change(Dataset.PRICES, "AA", date(2024, 12, 2), told_on=date(2025, 1, 20), factor=1.03),
        Change(Dataset.SHARES, "AA", date(2024, 11, 18), told_on=date(2025, 1, 8), factor=1.1),
        Change(Dataset.SHARES, "BB", date(2024, 12, 6), told_on=date(2025, 1, 20), factor=0.9),
        Change(Dataset.ESTIMATES, "BB", date(2024, 12, 9), told_on=date(2025, 1, 8), factor=1.2),
        Change(Dataset.ESTIMATES, "AA", date(2024, 12, 9), told_on=date(2025, 1, 8), factor=0.7),
        Change(Dataset.FX_RATES, "HKD", date(2024, 12, 10), told_on=date(2025, 1, 8), factor=1.01),
    ),
    late_dividends=(Change(Dataset.PRICES, "BB", date(2024, 12, 3), told_on=date(2025, 1, 8), factor=0.4),),
)
ALL = {
    Dataset.PRICES: small_world.SYMBOLS,
    Dataset.FX_RATES: small_world.PAIRS,
    Dataset.SHARES: ("AA", "BB"),
    Dataset.ESTIMATES: ("AA", "BB"),
}
DAYS = [date(2024, 12, 6), date(2024, 12, 20), date(2025, 1, 17)]
"""Before the first split; between the splits of 2024 and 2025, after one restatement; after the last split, before the last restatements."""


def fetches() -> list[Delivery]:
    """Everything up to 2 December, windows of two weeks afterwards, and the whole history once more at the end. Gamma's is fetched at the end only."""
    answers = []
    starts = [None, date(2024, 11, 25), date(2024, 12, 9), date(2024, 11, 18), None]
    for number, (day, start) in enumerate(
        zip([date(2024, 12, 2), date(2024, 12, 13), date(2024, 12, 30), date(2025, 1, 8), small_world.LAST], starts, strict=True)
    ):
        for dataset, symbols in ALL.items():
            asked = tuple(symbol for symbol in symbols if symbol != "1.HK" or day == small_world.LAST)
            if dataset in (Dataset.SHARES, Dataset.ESTIMATES) and day == small_world.LAST:
                asked = small_world.EQUITIES
            answers.append(WORLD.answer(Fetch(dataset, asked, start, day, datetime(day.year, day.month, day.day, 22, number, tzinfo=UTC))))
    return answers


def make_store(folder: Path, deliveries: list[Delivery], known_at: date | None = None) -> Settings:
    """A store that received the deliveries, in the order of their fetches, with a gate after each day; seeds as known by then."""
    project = folder / "dbt_project"
    shutil.copytree(PROJECT_ROOT / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs"))
    settings = load_settings(data_dir=str(folder / "data"), dbt_project_dir=str(small_world.write_seeds(project, known_at)))
    for number, delivery in enumerate(deliveries):
        small_world.land_delivery(settings, delivery, f"run{number}")
    return settings


def build_known_at(settings: Settings, known_at: date) -> RunRecord:
    return build_all(settings.model_copy(update={"known_at": known_at}), known_at)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_store(tmp_path_factory.mktemp("world"), fetches())
    record = build_all(settings, small_world.LAST)
    assert record.step("check_raw").facts["quarantined"] == []  # type: ignore[union-attr]  # a successful run has it
    return settings


@pytest.mark.parametrize("known_at", DAYS if os.environ.get("HISTORY_EXAMPLES") else DAYS[:2], ids=str)
def test_later_data_do_not_reach_back(store: Settings, tmp_path: Path, known_at: date) -> None:
    """A store with later splits, restatements, corrections, estimates and share counts, and one that only ever received what was known: equal marts."""
    assert build_known_at(store, known_at).outcome == "success"
    truncated = make_store(tmp_path, small_world.known_by(fetches(), known_at), known_at)
    assert build_all(truncated, known_at).outcome == "success"
    with open_warehouse(truncated) as connection:
        assert changed_tables(connection, store.model_copy(update={"known_at": known_at}).known_at_path) == []
