"""The queries of docs/QUERIES.md on a published file, as dashboards ask them: read-only, again and again."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from include.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "QUERIES.md"
BASKET, COMPARATOR, SYMBOL = "china_titans", "magnificent_seven", "0700.HK"
"""The basket, its comparator and the symbol that the page names. Another world has a stand-in for each."""
ONE, ACROSS = 0.05, 1.0
"""Seconds in which 95 of 100 answers are there: on the named basket or symbol, and on all of them."""
_TIMES = 40
_SECONDS = 20.0
"""A query is asked so many times, or as often as fits into so many seconds, twice at least."""


@dataclass(frozen=True)
class Query:
    """A section of the page: a question, what it answers, one block of SQL, how to read the result."""

    title: str
    before: str
    sql: str
    after: str

    @property
    def budget(self) -> float:
        """Seconds that an answer may take."""
        return ONE if any(f"'{name}'" in self.sql for name in (BASKET, SYMBOL)) else ACROSS


def read_queries(page: str) -> list[Query]:
    """The sections of the page, in its order.

    Raises:
        ValueError: a section has no block of SQL, or more than one.
    """
    found = []
    for section in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        title, _, rest = section.partition("\n")
        before, sql, after = re.split(r"^```(?:sql)?$", rest, flags=re.MULTILINE)
        found.append(Query(title, before.strip(), sql.strip(), re.split(r"^## ", after, flags=re.MULTILINE)[0].strip()))
    return found


def time_queries(path: Path, queries: Sequence[Query]) -> list[dict[str, Any]]:
    """Ask a published file each query until it is warm, and then again and again.

    Returns:
        Of each query its title, the rows of its answer, and in seconds: the median of its times, the 95th of a hundred,
        the median of its CPU, and its budget. The time is that until the last row is there.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        names = _stand_ins(connection)
        return [_timed(query, _asker(connection, query.sql, names)) for query in queries]


def _timed(query: Query, ask: Callable[[], int]) -> dict[str, Any]:
    rows = ask()
    seconds: list[float] = []
    cpu: list[float] = []
    while len(seconds) < 2 or (len(seconds) < _TIMES and sum(seconds) < _SECONDS):
        started, cpu_started = time.perf_counter(), time.process_time()
        ask()
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - cpu_started)
    return {
        "title": query.title,
        "rows": rows,
        "p50": percentile(seconds, 0.5),
        "p95": percentile(seconds, 0.95),
        "cpu": percentile(cpu, 0.5),
        "budget": query.budget,
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The least of ``values`` that ``share`` of them do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def _asker(connection: duckdb.DuckDBPyConnection, sql: str, names: Mapping[str, str]) -> Callable[[], int]:
    for name, stand_in in names.items():
        sql = sql.replace(f"'{name}'", f"'{stand_in}'")
    return lambda: len(connection.execute(sql).fetchall())


def _stand_ins(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The first basket that has a comparator, that comparator, and the first of the basket's members."""
    row = connection.execute(
        """select * from (
            select basket_id, comparator_basket_id, min(symbol)
            from marts.dim_baskets inner join marts.dim_basket_members using (basket_id)
            where valid_to is null group by all)
        order by comparator_basket_id is null, basket_id limit 1"""
    ).fetchone()
    return {name: value for name, value in zip((BASKET, COMPARATOR, SYMBOL), row or (), strict=False) if value}
