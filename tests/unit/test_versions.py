"""Which version of a row counts is said once, and load, gate 1, the marts and retention use it."""

from __future__ import annotations

import re

import duckdb

from include.raw.versions import latest_version, version_order
from include.settings import PROJECT_ROOT

VERSIONS = """(values
    ('a', 1, '2025-03-07 10:00'::timestamp, '2025-03-09 11:00'::timestamp, 'fetched first, landed last'),
    ('a', 1, '2025-03-08 10:00', '2025-03-09 10:00', 'fetched last, landed last'),
    ('a', 1, '2025-03-08 10:00', '2025-03-08 10:00', 'fetched last, landed first'),
    ('b', 1, '2025-03-01 10:00', '2025-03-01 10:00', 'the only one')
) as versions (symbol, day, fetched_at, landed_at, what)"""


def test_the_last_fetched_counts_then_the_last_landed() -> None:
    query = f"select symbol, what from {VERSIONS} {latest_version(['symbol', 'day'])} order by symbol"
    assert duckdb.sql(query).fetchall() == [("a", "fetched last, landed last"), ("b", "the only one")]


def test_versions_can_be_compared_under_an_alias() -> None:
    query = f"select arg_max(one.what, {version_order('one')}) from (from {VERSIONS}) as one where one.symbol = 'a'"
    assert duckdb.sql(query).fetchall() == [("fetched last, landed last",)]


def test_no_other_file_orders_versions_itself() -> None:
    """Neither by a clause nor by a comparison of fetch times."""
    own = re.compile(
        r"order by [^)\n]*(loaded_at|landed_at|fetched_at)|fetched_at *[<>]=? *(\$|\w+\.fetched_at|min|max)",
        re.IGNORECASE,
    )
    files = [
        path
        for folder in ("include", "dbt_project/models", "dbt_project/macros", "dbt_project/tests")
        for suffix in ("*.sql", "*.py")
        for path in (PROJECT_ROOT / folder).rglob(suffix)
    ]
    assert len(files) > 150
    assert [str(path) for path in files if own.search(path.read_text(encoding="utf-8"))] == [
        str(PROJECT_ROOT / "include" / "raw" / "retention.py")
    ], "retention removes what was fetched before a day; everything else takes the macros of versions.sql"
