"""Point-in-time builds: what could be known by a day, and nothing newer."""

from __future__ import annotations

import hashlib
import shutil
import stat
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from include import build
from include.errors import TitansError
from include.runs.records import RunRecord, run_records
from include.settings import Settings, load_settings
from include.sources.base import Dataset
from tests import small_world
from tests.pipeline import THOROUGH, build_all, build_compared, copy_project, different_marts, new_run, own_build
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
        zip(
            [date(2024, 12, 2), date(2024, 12, 13), date(2024, 12, 30), date(2025, 1, 8), small_world.LAST],
            starts,
            strict=True,
        )
    ):
        for dataset, symbols in ALL.items():
            asked = tuple(symbol for symbol in symbols if symbol != "1.HK" or day == small_world.LAST)
            if dataset in (Dataset.SHARES, Dataset.ESTIMATES) and day == small_world.LAST:
                asked = small_world.EQUITIES
            answers.append(
                WORLD.answer(
                    Fetch(dataset, asked, start, day, datetime(day.year, day.month, day.day, 22, number, tzinfo=UTC))
                )
            )
    return answers


def make_store(folder: Path, deliveries: list[Delivery], known_at: date | None = None) -> Settings:
    """A store that received the deliveries, in the order of their fetches, with a gate after each day; seeds as known by then."""
    project = copy_project(folder / "dbt_project")
    settings = load_settings(
        data_dir=str(folder / "data"), dbt_project_dir=str(small_world.write_seeds(project, known_at))
    )
    for number, delivery in enumerate(deliveries):
        small_world.land_delivery(settings, delivery, f"run{number}")
    return settings


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_store(tmp_path_factory.mktemp("world"), fetches())
    load_and_judge(settings)
    return settings


def load_and_judge(settings: Settings) -> None:
    """A build up to gate 1, which nothing may fail."""
    run = new_run(settings)
    build.load(settings, run)
    assert build.check_raw(settings, run).quarantined == []


@own_build
@pytest.mark.parametrize("known_at", DAYS, ids=str)
def test_later_data_do_not_reach_back(store: Settings, tmp_path: Path, known_at: date) -> None:
    """A store with later splits, restatements, corrections, estimates and share counts, and one that only ever received what was known: equal marts."""
    known = store.model_copy(update={"known_at": known_at})
    build.load(known, new_run(known))
    build_compared(known)
    truncated = make_store(tmp_path, small_world.known_by(fetches(), known_at), known_at)
    load_and_judge(truncated)
    assert different_marts(truncated, known.store.warehouse) == []


@pytest.fixture(scope="module")
def real(built_real_store: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy of the store on real prices, with what was known at the end of May 2024 built out of it."""
    if not THOROUGH:
        pytest.skip("it takes a whole build of its own: make verify plays it")
    data = tmp_path_factory.mktemp("real") / "data"
    shutil.copytree(built_real_store.data_dir, data, symlinks=True)
    settings = built_real_store.model_copy(update={"data_dir": data, "known_at": date(2024, 5, 31)})
    assert build_all(settings, date(2024, 5, 31)).outcome == "success"
    return settings


def ask_known(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.store.known_at_file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_a_split_of_june_is_not_in_prices_known_in_may(real: Settings, market_data: Path) -> None:
    """Nvidia split 10 for 1 on 10 June 2024: what it closed at in May is ten times the close of the export of 2025."""
    ((told,),) = duckdb.sql(
        f"select close from '{market_data}/prices.csv' where symbol = 'NVDA' and date = '2024-05-31'"
    ).fetchall()
    ((close, volume, told_volume),) = ask_known(
        real,
        f"select one.close, one.volume, two.volume from marts.fct_security_daily as one, '{market_data}/prices.csv' as two "
        "where one.symbol = 'NVDA' and one.date = '2024-05-31' and two.symbol = 'NVDA' and two.date = '2024-05-31'",
    )
    assert close == pytest.approx(10 * told, rel=1e-9)
    assert close == pytest.approx(1096.33, abs=0.005)
    assert volume == round(told_volume / 10)
    assert ask_known(real, "select max(date) from marts.fct_security_daily") == [(date(2024, 5, 31),)]
    assert ask_known(real, "select max(date) from marts.fct_corporate_actions where action = 'split'") == [
        (date(2022, 8, 25),)
    ]
    # A return is what it is on any basis.
    ((known,),) = ask_known(
        real, "select return_ytd from marts.fct_security_daily where symbol = 'NVDA' and date = '2024-05-31'"
    )
    with duckdb.connect(str(real.published.link), read_only=True) as connection:
        published = connection.execute(
            "select return_ytd from marts.fct_security_daily where symbol = 'NVDA' and date = '2024-05-31'"
        ).fetchone()
    assert published == (pytest.approx(known, rel=1e-9),)


def test_share_counts_of_later_are_not_carried_back(real: Settings) -> None:
    assert ask_known(
        real, "select count(*) from marts.fct_security_daily where is_shares_backcast or market_value_usd is not null"
    ) == [(0,)]
    assert ask_known(real, "select count(*) from marts.fct_shares_outstanding") == [(0,)]


def test_the_file_is_whole_read_only_and_says_what_it_is(real: Settings) -> None:
    path = real.store.known_at_file
    assert path == real.data_dir / "files" / "known_at" / "2024-05-31.duckdb"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert [each.name for each in path.parent.iterdir()] == [path.name], "nothing of the build is left beside it"
    with duckdb.connect(str(real.published.link), read_only=True) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables() order by all").fetchall()
    assert ask_known(real, "select schema_name, table_name from duckdb_tables() order by all") == tables
    assert ask_known(
        real,
        "select count(*) from duckdb_tables() where not starts_with(comment, 'As known at the end of 2024-05-31 (UTC). ')",
    ) == [(0,)]
    assert ask_known(
        real,
        "select count(*) from duckdb_columns() where schema_name in ('marts', 'reports', 'ops') and coalesce(comment, '') = ''",
    ) == [(0,)]


def test_nothing_else_changes(real: Settings, built_real_store: Settings) -> None:
    """The warehouse and the published file are the same to the byte, and the build is no baseline of the next."""

    def digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    assert digest(real.model_copy(update={"known_at": None}).store.warehouse) == digest(
        built_real_store.store.warehouse
    )
    assert real.published.link.readlink() == built_real_store.published.link.readlink()
    assert digest(real.published.link) == digest(built_real_store.published.link)
    assert [record.run_id for record in run_records(real.store)] == [
        record.run_id for record in run_records(built_real_store.store)
    ]
    (record,) = (
        path for path in real.store.runs.glob("build_marts.*.json") if '"known_at": "2024-05-31"' in path.read_text()
    )
    assert RunRecord.model_validate_json(record.read_text()).step("check_marts").checks  # type: ignore[union-attr]  # a successful run has it


def test_without_a_warehouse_there_is_nothing_to_look_back_on(tmp_path: Path) -> None:
    settings = load_settings(data_dir=str(tmp_path), known_at="2024-05-31")
    with pytest.raises(
        TitansError, match=f"sample has no warehouse .* Build it first: make run SOURCE=sample DATA={tmp_path}$"
    ):
        build.load(settings, new_run(settings))


def test_before_the_data(built_real_store: Settings) -> None:
    early = built_real_store.model_copy(update={"known_at": date(2020, 1, 1)})
    with pytest.raises(
        TitansError, match=r"KNOWN_AT=2020-01-01 is before the data: source files knows no price from before 2020-01-02"
    ):
        build.load(early, new_run(early))
    assert not early.store.warehouse.parent.exists()
