"""When a mart counts as changed: rows in any order, other last digits and a return rounded the other way are no change.

And which headlines changed, with the values that made them so.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from include.dbt_facts import dbt_vars
from include.publishing.changes import RETURN_FLOOR, changed_headlines, changed_tables
from include.settings import PROJECT_ROOT

PUBLISHED = (
    "('A', date '2025-03-06', 100.0, 0.25), ('A', date '2025-03-07', 90.0, -0.1), ('B', date '2025-03-07', 0.5, null)"
)


@pytest.mark.parametrize(
    ("rows", "is_changed"),
    [
        (PUBLISHED, False),
        ("('B', date '2025-03-07', 0.5, null), ('A', date '2025-03-07', 90.0, -0.1), ('A', date '2025-03-06', 100.0, 0.25)", False),
        (PUBLISHED.replace("90.0", "90.00000005"), False),
        (PUBLISHED.replace("90.0", "90.0000005"), True),
        (PUBLISHED.replace("-0.1", "-0.100000001"), False),
        (PUBLISHED.replace("-0.1", "-0.100000002"), True),
        (PUBLISHED.replace("null", "0.0"), True),
        (PUBLISHED.replace("0.25", "null"), True),
        (PUBLISHED.replace("'B'", "'C'"), True),
        (PUBLISHED.replace("03-06", "03-05"), True),
        (PUBLISHED + ", ('C', date '2025-03-07', 1.0, null)", True),
        ("('A', date '2025-03-06', 100.0, 0.25), ('A', date '2025-03-06', 100.0, 0.25), ('B', date '2025-03-07', 0.5, null)", True),
    ],
    ids=["same", "another order", "last digits", "a close", "rounded the other way", "a return", "no NULL any more", "a new NULL",
         "another symbol", "another day", "a row more", "one row twice, another gone"],
)  # fmt: skip
def test_what_counts_as_a_change(tmp_path: Path, rows: str, is_changed: bool) -> None:
    columns = "(symbol, date, close, return_1d)"
    for name, content in (("warehouse", rows), ("published", PUBLISHED)):
        with duckdb.connect(str(tmp_path / f"{name}.duckdb")) as connection:
            connection.execute("create schema marts")
            connection.execute(
                "create table marts.daily as select symbol, date, close::double as close, return_1d::double as return_1d "
                f"from (values {content}) as rows{columns}"
            )
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        assert changed_tables(connection, tmp_path / "published.duckdb") == (["daily"] if is_changed else [])


def test_the_last_decimal_is_that_of_the_models() -> None:
    step = 10 ** -dbt_vars(PROJECT_ROOT / "dbt_project").return_decimals
    assert step < RETURN_FLOOR < 1.01 * step


AAPL = ("AAPL", "close", "")


def step(before: float, after: float, day: int, kind: str = "restated", value: tuple[str, str, str] = AAPL) -> str:
    """A row of ``ops.restatements``, known on a day of March."""
    symbol, field, detail = value
    return f"('{symbol}', date '2025-03-03', '{field}', nullif('{detail}', ''), '{kind}', {before}, {after}, 0.01, timestamp '2025-03-{day:02d}')"


def headline(value: str, name: str = "two_return_ytd", subject: str = "two", day: int = 7) -> str:
    return f"(date '2025-03-{day:02d}', '{name}', '{subject}', '{value}')"


def changed(folder: Path, before: list[str], now: list[str], was: list[str], says: list[str]) -> list[str]:
    """The headlines that changed between a generation and the warehouse. Basket two holds AAPL and MSFT.

    Args:
        before, now: rows of ``ops.restatements``.
        was, says: rows of ``fct_headlines``.
    """
    for name, steps, headlines in (("published", before, was), ("warehouse", now, says)):
        (folder / f"{name}.duckdb").unlink(missing_ok=True)
        with duckdb.connect(str(folder / f"{name}.duckdb")) as connection:
            connection.execute(
                """create schema marts; create schema ops;
                create table ops.publications as select date '2025-03-07' as as_of, timestamp '2025-03-08' as published_at;
                create table marts.dim_basket_members as
                    from (values ('two', 'AAPL'), ('two', 'MSFT'), ('other', 'TSM')) as rows(basket_id, symbol);
                create table marts.fct_headlines (as_of date, headline_id varchar, subject varchar, value_text varchar);
                create table ops.restatements (symbol varchar, date date, field varchar, detail varchar, kind varchar,
                    value_before double, value_after double, basket_effect double, known_at timestamp)"""
            )
            for table, rows in (("marts.fct_headlines", headlines), ("ops.restatements", steps)):
                if rows:
                    connection.execute(f"insert into {table} values {', '.join(rows)}")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        return changed_headlines(connection, folder / "published.duckdb")


CAUSE = "AAPL close of 2025-03-03 from"
THERE, BACK = step(100, 101, 4), step(101, 100, 5)


@pytest.mark.parametrize(
    ("before", "now", "cause"),
    [
        ([], [THERE], f"{CAUSE} 100.0 to 101.0"),
        ([THERE], [THERE, BACK], f"{CAUSE} 101.0 to 100.0"),
        ([THERE, BACK], [THERE, BACK, step(100, 101, 6)], f"{CAUSE} 100.0 to 101.0"),
        ([THERE, BACK], [THERE, BACK, step(100, 101, 4)], f"{CAUSE} 100.0 to 101.0"),
        ([THERE], [THERE], ""),
        ([], [THERE, BACK], ""),
        ([], [THERE, step(101, 103, 5)], f"{CAUSE} 100.0 to 103.0"),
        ([THERE], [step(100, 99, 3), step(99, 101, 4)], ""),
        ([THERE, step(101, 103, 5)], [step(101, 103, 5)], ""),
        ([], [step(100, 100.00001, 4, "rounding")], f"{CAUSE} 100.0 to 100.00001 (rounding)"),
        ([], [step(400, 100, 4, "split")], f"{CAUSE} 400.0 to 100.0 (split)"),
        ([], [step(400, 100, 4, "split"), step(8, 9, 4, value=("MSFT", "close", ""))], "MSFT close of 2025-03-03 from 8.0 to 9.0"),
        ([], [step(2, 0, 4, "withdrawn", ("AAPL", "dividend", ""))], "AAPL dividend of 2025-03-03 from 2.0 to none"),
        ([], [step(2, 2, 4, value=("AAPL", "dividend", "USD to HKD"))], "AAPL dividend of 2025-03-03 from 2.0 to 2.0 (USD to HKD)"),
        ([], [step(7, 8, 4, value=("USDHKD", "rate", ""))], "USDHKD rate of 2025-03-03 from 7.0 to 8.0"),
        ([], [step(7, 8, 4, value=("TSM", "close", ""))], ""),
    ],
    ids=["a change", "and back", "and there again", "and there again at one time", "none since", "there and back since", "two steps since",
         "one that came late from in between", "one that retention let go", "rounding", "a split", "a split beside a change", "withdrawn",
         "another currency", "a rate", "of another basket"],
)  # fmt: skip
def test_a_headline_that_changed_names_what_changed_it_since(
    tmp_path: Path, before: list[str], now: list[str], cause: str
) -> None:
    told = "two_return_ytd of 2025-03-07 was 1.0% and is 1.1%"
    assert changed(tmp_path, before, now, [headline("1.0%")], [headline("1.1%")]) == [
        f"{told}: {cause}" if cause else told
    ]


def test_a_headline_that_is_gone_or_new_is_named(tmp_path: Path) -> None:
    """Of the last published day: a later day has had no headlines yet, and so none that changed."""
    was = [headline("1.0%"), headline("5.0%", "two_return_1d")]
    says = [headline("1.0%"), headline("20.1", "aapl_forward_pe", "AAPL"), headline("0.9%", day=10)]
    assert changed(tmp_path, [], [THERE], was, says) == [
        f"aapl_forward_pe of 2025-03-07 is new: 20.1: {CAUSE} 100.0 to 101.0",
        f"two_return_1d of 2025-03-07 was 5.0% and is gone: {CAUSE} 100.0 to 101.0",
    ]


def test_five_causes_are_named_and_the_others_counted(tmp_path: Path) -> None:
    steps = [step(100, 101 + number, 4, value=("AAPL", "eps", f"annual {number}")) for number in range(7)]
    (text,) = changed(tmp_path, [], steps, [headline("1.0%")], [headline("1.1%")])
    assert "AAPL eps of 2025-03-03 from 100.0 to 101.0 (annual 0), " in text
    assert text.endswith(", and 2 more in ops.restatements")
