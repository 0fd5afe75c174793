"""The queries of docs/QUERIES.md, run as they stand there on what is published."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import pytest

from include.settings import Settings
from titans.bench.readers import PAGE as PAGE_PATH
from titans.bench.readers import Query, read_queries

PAGE = PAGE_PATH.read_text(encoding="utf-8")
MAY_BE_EMPTY = re.compile(r"<!-- may be empty: (\S.*) -->")


QUERIES = read_queries(PAGE)
each_query = pytest.mark.parametrize("query", QUERIES, ids=[query.title for query in QUERIES])


def tables_of(query: Query) -> set[tuple[str, str]]:
    return set(re.findall(r"\b(marts|ops)\.(\w+)", query.sql))


def run(settings: Settings, sql: str, threads: int = 2) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.published.link), read_only=True) as connection:
        connection.execute(f"set threads = {threads}")
        # A result without a full order shows when nothing keeps the order of the file.
        connection.execute(f"set preserve_insertion_order = {threads == 1}")
        return connection.execute(sql).fetchall()


def test_the_page_has_its_queries_in_order() -> None:
    assert len(QUERIES) >= 15
    assert [query.title.split(".")[0] for query in QUERIES] == [str(number) for number in range(1, len(QUERIES) + 1)]
    assert PAGE.count("```sql") == len(QUERIES)


@each_query
def test_a_query_says_what_it_answers_and_how_to_read_it(query: Query) -> None:
    said = MAY_BE_EMPTY.sub("", query.before).strip()
    assert query.title.endswith("?")
    assert said.endswith(".")
    assert query.after.endswith(".")
    assert re.search(r"^order by ", query.sql, flags=re.MULTILINE), "give its result an order"
    assert tables_of(query), "name tables as marts.<table>"


@each_query
@pytest.mark.parametrize("store", ["built_sample_store", "built_real_store"])
def test_a_query_returns_rows(query: Query, store: str, request: pytest.FixtureRequest) -> None:
    settings: Settings = request.getfixturevalue(store)
    rows = run(settings, query.sql)
    assert rows or MAY_BE_EMPTY.search(query.before), (
        "no row: mend it, or say '<!-- may be empty: why -->' above the block"
    )
    assert len(rows) <= 1000, "make query shows 1000 rows"
    if store == "built_real_store":
        assert [run(settings, query.sql, threads) for threads in (1, 4)] == [rows, rows], "order it by a whole key"


@each_query
def test_a_query_reads_no_deprecated_column(query: Query, built_sample_store: Settings) -> None:
    columns = run(
        built_sample_store,
        "select schema_name, table_name, column_name from duckdb_columns() where comment ilike '%deprecated%' and schema_name in ('marts', 'reports', 'ops')",
    )
    words = set(re.findall(r"\w+", query.sql))
    assert [
        f"{table}.{column}"
        for schema, table, column in columns
        if (schema, table) in tables_of(query) and column in words
    ] == []


@pytest.mark.parametrize("store", ["built_sample_store", "built_real_store"])
def test_a_return_by_hand_is_the_mart_s(store: str, request: pytest.FixtureRequest) -> None:
    query = next(query for query in QUERIES if "by hand" in query.title)
    rows = run(request.getfixturevalue(store), query.sql)
    assert [basket for basket, *_ in rows] == ["china_titans", "magnificent_seven"]
    assert [by_hand for *_, by_hand, _ in rows] == pytest.approx([of_the_mart for *_, of_the_mart in rows], abs=1e-6)
