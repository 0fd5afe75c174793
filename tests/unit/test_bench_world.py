"""The made-up world: the same whatever its size, of the shape that was asked for, and with news on the day after."""

from __future__ import annotations

import json
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from include.errors import TitansError
from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from titans.bench.export import write_export
from titans.bench.world import DAY_AFTER, DAY_AFTER_THAT, FIRST_EXPORT, World, write_project

SIZE = {"symbols": 60, "years": 4, "baskets": 4, "members": 10}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with the deliveries of three days, and a smaller, shorter one."""
    folder = tmp_path_factory.mktemp("worlds")
    world, small = World(**SIZE), World(symbols=6, years=2, baskets=1, members=3)
    write = partial(write_export, world, write_project(world, folder / "project"))
    write(folder / "first", FIRST_EXPORT)
    write(folder / "day_after", DAY_AFTER, since=FIRST_EXPORT)
    write(folder / "whole_day_after", DAY_AFTER)
    write(folder / "day_after_that", DAY_AFTER_THAT)
    write_export(small, write_project(small, folder / "small_project"), folder / "small", FIRST_EXPORT)
    return folder


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query in which ``first/prices`` and the like are the files of the world."""
    for export in ("whole_day_after", "day_after_that", "day_after", "first", "small"):
        for dataset in ("prices", "shares", "estimates", "fx_rates"):
            sql = sql.replace(f" {export}/{dataset}", f" '{folder / export / dataset}.parquet'")
    return duckdb.sql(sql).fetchall()


@pytest.mark.parametrize(
    ("dataset", "key"),
    [
        ("prices", "symbol, date"),
        ("shares", "symbol, as_of"),
        ("estimates", "symbol, as_of, period"),
        ("fx_rates", "quote_currency, date"),
    ],
)
def test_a_smaller_world_is_a_part_of_a_larger_one(folder: Path, dataset: str, key: str) -> None:
    """To the last digit: of its symbols and days the larger one has exactly its rows."""
    ((rows, missing, twice),) = ask(
        folder,
        f"""select count(*),
                count(*) filter (where to_json(small) not in (select to_json(large) from first/{dataset} as large)),
            count(*) - count(distinct ({key})) from small/{dataset} as small""",
    )
    assert (rows > 0, missing, twice) == (True, 0, 0)


def test_two_writes_are_the_same(folder: Path, tmp_path: Path) -> None:
    write_export(World(**SIZE), folder / "project", tmp_path, FIRST_EXPORT)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (folder / "first" / path.name).read_bytes(), path.name


def test_seeds_are_of_the_size_asked_for(folder: Path) -> None:
    reference = load_reference(folder / "project" / "seeds")
    assert (len(reference.equities), len(reference.securities), len(reference.baskets)) == (60, 62, 4)
    for basket in reference.baskets:
        members = [row for row in reference.basket_members if row.basket_id == basket.basket_id]
        assert len([row for row in members if row.valid_to is None]) == 10
    assert any(row.valid_to for row in reference.basket_members)
    assert any(row.valid_from for row in reference.basket_members)


def test_prices_are_of_sessions_and_plausible(folder: Path) -> None:
    """Every row rule and the jump limit of gate 1 hold, and no symbol misses one session in fifty."""
    reference = load_reference(folder / "project" / "seeds")
    calendars = load_calendars(reference, FIRST_EXPORT.year)
    sessions = {
        (row.symbol, session.date)
        for row in reference.securities
        for session in calendars[row.exchange].between(date(2021, 3, 6), FIRST_EXPORT)
    }
    rows = ask(folder, "select symbol, date from first/prices")
    assert set(rows) <= sessions
    assert 0.97 < len(rows) / len(sessions) < 1
    ((wrong,),) = ask(
        folder,
        """select count(*) from first/prices
        where low > least(open, close) or high < greatest(open, close) or low <= 0 or volume <= 0""",
    )
    ((jump, fewest),) = ask(
        folder,
        """select max(step), min(sessions) from (
            select symbol, max(step) as step, count(*) as sessions from (
                select symbol, abs(ln(close / lag(close) over (partition by symbol order by date))) as step
                from first/prices)
            group by symbol)""",
    )
    assert (wrong, jump < 0.45, fewest > 250) == (0, True, True)


def test_no_two_series_are_alike(folder: Path) -> None:
    ((alike,),) = ask(
        folder,
        """select max(equal_days) from (
            select count(*) as equal_days from first/prices as one inner join first/prices as two
            on one.date = two.date and one.close = two.close and one.symbol < two.symbol
            group by one.symbol, two.symbol)""",
    )
    assert (alike or 0) < 20


def test_it_has_dividends_splits_gaps_and_a_halt(folder: Path) -> None:
    """Cum-dividend, split and missing sessions are where a vendor has them: on bars, and before the first export."""
    ((dividends, declared, splits, payers),) = ask(
        folder,
        """select count(*) filter (where dividend > 0),
                count(*) filter (where dividend > 0 and dividend_currency <> currency),
                count(*) filter (where split_ratio > 0), count(distinct symbol) filter (where dividend > 0)
            from first/prices""",
    )
    assert (dividends > 300, declared > 0, splits > 10, payers) == (True, True, True, 40)
    gaps = ask(
        folder,
        """select count(*) from (
            select date - lag(date) over (partition by symbol order by date) as days from first/prices)
        where days > 7""",
    )
    assert gaps[0][0] >= 1


def test_the_delivery_of_the_day_after_is_what_changed(folder: Path) -> None:
    """The first export with the delta laid over it is the whole export of the day after, splits of the day apart."""
    split = ask(folder, f"select symbol from day_after/prices where split_ratio > 0 and date = '{DAY_AFTER}'")
    assert split == [("U00003",)]
    ((whole, different),) = ask(
        folder,
        """with laid_over as (
            select * from day_after/prices
            union all
            select * from first/prices as old
            where (symbol, date) not in (select (symbol, date) from day_after/prices))
        select count(*), count(*) filter (where to_json(whole) <> to_json(laid_over))
        from whole_day_after/prices as whole full join laid_over using (symbol, date)""",
    )
    ((first, news, today),) = ask(
        folder,
        f"""select (select count(*) from first/prices),
                count(*) filter (where date < '{DAY_AFTER}' and symbol <> 'U00003'),
            count(*) filter (where date = '{DAY_AFTER}') from day_after/prices""",
    )
    assert (whole, different) == (first + 62, 0)
    assert (today, 1 <= news <= 10) == (62, True)
    assert ask(folder, "select distinct as_of from day_after/estimates") == [(DAY_AFTER,)]
    assert ask(folder, "select distinct date from day_after/fx_rates") == [(DAY_AFTER,)]


def test_a_split_of_the_day_after_halves_the_history(folder: Path) -> None:
    ((prices, counts, estimates),) = ask(
        folder,
        """select
            (select count(*) filter (where abs(new.close * 2 / old.close - 1) > 1e-9)
                from day_after/prices as new inner join first/prices as old using (symbol, date)
                where symbol = 'U00003'),
            (select median(new.shares_outstanding / old.shares_outstanding)
                from whole_day_after/shares as new inner join first/shares as old using (symbol, as_of)
                where symbol = 'U00003'),
            (select median(new.mean / old.mean) from whole_day_after/estimates as new inner join first/estimates as old
                using (symbol, as_of, period) where symbol = 'U00003')""",
    )
    # Bars of the last days may be corrected at the same time.
    assert prices <= 5
    assert (counts, estimates) == pytest.approx((2, 0.5), rel=1e-3)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ({"symbols": 0}, "SYMBOLS=0 makes no world"),
        ({"years": 30}, "YEARS=30 is more than the calendars of the exchanges reach back: give 25 at most"),
        ({"members": 61}, "MEMBERS=61 is more than SYMBOLS=60: a basket holds a symbol once"),
        ({"baskets": -1}, "BASKETS=-1 makes no world"),
    ],
)
def test_a_world_that_cannot_be_is_refused(size: dict[str, int], words: str) -> None:
    with pytest.raises(TitansError, match=words):
        World(**{**SIZE, **size})


def test_a_day_outside_of_the_world_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TitansError, match="exports from 2025-03-06 to 2027-12-31"):
        write_export(World(**SIZE), folder / "project", tmp_path, date(2025, 3, 5))


@pytest.mark.parametrize("size", [(1, 1, 1, 1), (3, 1, 2, 3), (7, 1, 3, 7)])
def test_the_smallest_worlds_have_every_part(tmp_path: Path, size: tuple[int, int, int, int]) -> None:
    world = World(*size)
    project = write_project(world, tmp_path / "project")
    rows = write_export(world, project, tmp_path / "export", FIRST_EXPORT)
    assert len(load_reference(project / "seeds").equities) == size[0]
    assert min(rows.values()) > 0


def test_the_command_writes_a_world_and_says_how_to_run_it(tmp_path: Path) -> None:
    from titans.bench.__main__ import app

    words = ["--symbols", "4", "--years", "1", "--baskets", "1", "--members", "2", str(tmp_path / "world")]
    written, again = (CliRunner().invoke(app, words) for _ in range(2))
    assert (written.exit_code, again.exit_code) == (0, 1), written.output
    assert f"FILES={tmp_path / 'world' / 'first'} EXPORTED_AT=2025-03-06" in written.output
    exports = {"first", "day_after", "day_after_that"}
    assert {path.name for path in (tmp_path / "world").iterdir()} == {"project", "rows.json", *exports}
    assert set(json.loads((tmp_path / "world" / "rows.json").read_text())) == exports
