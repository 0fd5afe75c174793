"""A reader as its users would write it: open the published file, read several tables in two statements, close it, in a loop.

    reader.py LINK NEWEST SECONDS KIND [DETAIL]

The tables are asked for in the database ``$DATABASE``, such as ``titans.``: a client with another name for it fails.
KIND is python, threads, pandas, sqlalchemy, command-line (DETAIL: the program) or old (DETAIL: the version of DuckDB that it must be). Prints ``reads
errors torn stale`` and then sentences about what was wrong. Stale is a new connection that sees an older generation than had been published before it
was opened. Runs on every wheel of DuckDB, so it imports nothing of the project.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb

Row = tuple[int, ...]
Reader = Callable[[str], tuple[Row, Row]]

ROWS = 5_000
IN = os.environ.get("DATABASE", "")
ONE = f"select min(number), max(number), count(*) from {IN}marts.fct_basket_daily"
TWO = f"""select (select number from {IN}marts.dim_baskets), (select number from {IN}marts.fct_headlines),
    (select max(number) from {IN}ops.freshness)"""


def with_python(path: str) -> tuple[Row, Row]:
    connection = duckdb.connect(path, read_only=True)
    try:
        one, two = connection.execute(ONE).fetchone(), connection.execute(TWO).fetchone()
    finally:
        connection.close()
    assert one is not None, "an aggregate has a row"
    assert two is not None, "scalars make a row"
    return one, two


def with_python_on_the_resolved_link(path: str) -> tuple[Row, Row]:
    return with_python(str(Path(path).resolve()))


def with_pandas(path: str) -> tuple[Row, Row]:
    connection = duckdb.connect(path, read_only=True)
    one, two = connection.sql(ONE).df(), connection.sql(TWO).df()
    connection.close()
    return tuple(int(value) for value in one.iloc[0]), tuple(int(value) for value in two.iloc[0])


def with_sqlalchemy(path: str) -> Reader:
    import sqlalchemy as sa

    engine = sa.create_engine(f"duckdb:///{path}", connect_args={"read_only": True}, poolclass=sa.pool.NullPool)

    def read(_: str) -> tuple[Row, Row]:
        with engine.connect() as connection:
            one, two = (connection.execute(sa.text(statement)).one() for statement in (ONE, TWO))
        return tuple(int(value) for value in one), tuple(int(value) for value in two)

    return read


def with_command_line(program: str) -> Reader:
    def read(path: str) -> tuple[Row, Row]:
        command = [program, "-readonly", "-csv", "-noheader", path, "-c", ONE, "-c", TWO]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        one, two = (tuple(int(value) for value in row) for row in csv.reader(done.stdout.splitlines()))
        return one, two

    return read


def main(link: str, told: str, seconds: str, kind: str, detail: str = "") -> None:
    if kind == "old" and duckdb.__version__ != detail:
        sys.exit(f"this is DuckDB {duckdb.__version__}, not {detail}")
    readers: dict[str, Callable[[], Reader]] = {
        "python": lambda: with_python,
        "threads": lambda: with_python,
        "old": lambda: with_python_on_the_resolved_link,
        "pandas": lambda: with_pandas,
        "sqlalchemy": lambda: with_sqlalchemy(link),
        "command-line": lambda: with_command_line(detail),
    }
    read = readers[kind]()
    end = time.monotonic() + float(seconds)
    counts: Counter[str] = Counter()
    problems: list[str] = []
    lock = threading.Lock()

    def judge(expected: int) -> tuple[str, str] | None:
        try:
            one, two = read(link)
        except Exception as error:
            return "errors", f"{type(error).__name__}: {error}".splitlines()[0]
        if len({*one[:2], *two}) != 1 or one[2] != ROWS:
            return "torn", f"{one} beside {two}"
        return ("stale", f"{one} though {expected} was published") if one[0] < expected else None

    def loop() -> None:
        while time.monotonic() < end:
            found = judge(int(Path(told).read_text()))
            with lock:
                counts["reads"] += 1
                if found:
                    counts[found[0]] += 1
                    problems.append(found[1])
            time.sleep(0.01)  # leaves the publisher a processor

    workers = [threading.Thread(target=loop) for _ in range(4 if kind == "threads" else 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(*(counts[kind] for kind in ("reads", "errors", "torn", "stale")))
    print("\n".join(problems[:5]))


main(*sys.argv[1:])
