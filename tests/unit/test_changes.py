"""When a mart counts as changed: rows in any order, other last digits and a return rounded the other way are no change."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from include.dbt_facts import dbt_vars
from include.publishing.changes import RETURN_FLOOR, changed_tables
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
