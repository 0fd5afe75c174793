"""``make bench``: what it takes of a process, what it says of one that takes too much, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import psutil  # type: ignore[import-untyped]  # its types are no dependency
import pytest
from typer.testing import CliRunner, Result

from include.settings import PROJECT_ROOT
from titans.__main__ import app
from titans.bench import parts, ratios, readers
from titans.bench.measure import Cost, Limits, run_apart
from titans.bench.parts import BY_HAND, MODELS, READERS, own_environment

MIB = 2**20
PLENTY = Limits(memory=2_000 * MIB, seconds=60)


def run(tmp_path: Path, code: str, limits: Limits = PLENTY) -> Cost:
    return run_apart(
        ["-c", code, str(tmp_path / "report")], dict(os.environ), limits, tmp_path / "log", tmp_path / "report"
    )


def run_from_a_small_process(folder: Path, code: str) -> Cost:
    """As ``make bench`` does, which itself is small."""
    small = f"""
import json, os, sys
from dataclasses import asdict
from pathlib import Path
from titans.bench.measure import Limits, run_apart
cost = run_apart(["-c", {code!r}], dict(os.environ), Limits({500 * MIB}, 60), Path({str(folder / "log")!r}))
print(json.dumps(asdict(cost)))
"""
    result = subprocess.run(
        [sys.executable, "-c", small], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return Cost(**json.loads(result.stdout))


def test_the_memory_and_cpu_of_a_process_are_its_own(tmp_path: Path) -> None:
    # As large as the process that starts it at least, until it has a program of its own: so it is started by a small one.
    work = "import time\nheld = bytearray(150 * 2**20)\nwhile time.process_time() < 0.3: pass"
    cost = run_from_a_small_process(tmp_path, work)
    assert cost.failed is None
    assert 150 * MIB < cost.peak < 250 * MIB
    assert 0.3 <= cost.cpu < 0.6
    assert cost.wall >= 0.3


def test_children_of_a_process_count(tmp_path: Path) -> None:
    work = "import time\nwhile time.process_time() < 0.3: pass"
    cost = run(tmp_path, f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {work!r}])")
    assert cost.cpu >= 0.3


def test_what_a_process_says_of_itself_is_read(tmp_path: Path) -> None:
    say = "import json, pathlib, sys\npathlib.Path(sys.argv[1]).write_text(json.dumps({'note': 'fine'}))"
    assert run(tmp_path, say).facts == {"note": "fine"}
    failing = say.replace("'note': 'fine'", "'failed': 'the disk is full', 'note': 'half'") + "\nsys.exit(1)"
    cost = run(tmp_path, failing)
    assert (cost.failed, cost.facts) == ("the disk is full", {"note": "half"})


@pytest.mark.parametrize(
    ("code", "failed"),
    [
        ("raise ValueError('broken')", "ValueError: broken"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("import sys; sys.exit(3)", "ended with 3"),
    ],
)
def test_a_process_that_breaks_says_why(tmp_path: Path, code: str, failed: str) -> None:
    assert run(tmp_path, code).failed == failed


@pytest.mark.parametrize(
    ("code", "limits", "failed"),
    [
        (
            "import time\nheld = bytearray(200 * 2**20)\ntime.sleep(60)",
            Limits(100 * MIB, 60),
            "stopped: it took more than 0.1 GiB of memory",
        ),
        ("import time\ntime.sleep(60)", Limits(500 * MIB, 0.3), "stopped after 0.005 minutes"),
    ],
)
def test_a_process_that_takes_too_much_is_stopped(tmp_path: Path, code: str, limits: Limits, failed: str) -> None:
    """With its children, and what it took until then is known."""
    started = f"import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', {code!r}])\nchild.wait()"
    before = set(psutil.Process().children(recursive=True))
    cost = run(tmp_path, started, limits)
    assert cost.failed == failed
    assert cost.wall < 20
    new = set(psutil.Process().children(recursive=True)) - before
    assert not [process for process in new if process.status() != psutil.STATUS_ZOMBIE]


def test_settings_of_the_bench_are_not_those_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TITANS_SOURCE", "TITANS_DATA_DIR", "TITANS_DBT_PROJECT_DIR", "TITANS_WEBHOOK_URL", "TITANS_AS_OF"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("TITANS_BATCH_SIZE", "50")
    assert {name for name in own_environment() if name.startswith("TITANS_")} == {"TITANS_BATCH_SIZE"}


Fake = Callable[[str], Cost]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """The command in ``tmp_path``, with processes that a test makes up: the cost of each by the name of its stage."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def invoke(fake: Fake, *words: str) -> Result:
        def instead(arguments: Sequence[str], *rest: Any) -> Cost:
            if "titans.bench" in arguments:
                folder = Path(arguments[-1])
                folder.mkdir()
                rows = {name: {"prices": 1_000} for name in ("first", "day_after", "day_after_that")}
                (folder / "rows.json").write_text(json.dumps(rows))
                return fake("world")
            return fake(arguments[2])

        monkeypatch.setattr(parts, "run_apart", instead)
        return CliRunner().invoke(app, ["bench", "--only", "world", *words], env={"COLUMNS": "250"})

    return invoke


def good(stage: str) -> Cost:
    marts = {"fct_security_daily": {"cpu": 2.0, "is_equal": True, "models": ["a", "b"]}}
    query = {"title": "1. How far?", "rows": 1_234, "p50": 0.02, "p95": 0.0504, "cpu": 0.03, "budget": 0.05}
    facts = {"marts": marts, "limits": "2 threads", "queries": [query]}
    return Cost(wall=2.0, cpu=1.0, peak=2**30, facts=facts)


def lines_of(result: Result) -> dict[str, str]:
    """Lines of the tables by their first words."""
    return {match[1]: line for line in result.output.splitlines() if (match := re.match(r"\s*(\S.*?)\s\s+", line))}


def test_every_part_is_shown_with_its_cost(bench: Callable[..., Result], tmp_path: Path) -> None:
    result = bench(good)
    assert result.exit_code == 0, result.output
    lines = lines_of(result)
    for step in parts.STEPS:
        assert "2.0 s     1.0 s" in re.sub(r"\s{2,}", "     ", lines[step.title]), step.title
        assert "1.00 GiB" in lines[step.title]
        assert ("500" in lines[step.title]) == (step.stage != "parse")
    assert "1.00" in lines["fct_security_daily"]
    assert "yes" in lines["fct_security_daily"]
    assert "200%" in lines["both gates, of the transform"]
    assert re.split(r"\s{2,}", lines["1. How far?"].strip()) == [
        "1. How far?",
        "20 ms",
        "50 ms",
        "50 ms",
        "30 ms",
        "1,234",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_fails_costs_those_that_need_it_only(bench: Callable[..., Result]) -> None:
    def fake(stage: str) -> Cost:
        if stage == "transform":
            return Cost(wall=9.0, cpu=8.0, peak=2**34, failed="stopped: it took more than 12.0 GiB [/of] memory")
        assert stage in ("world", "ingest", "load", "check_raw", "parse")
        return good(stage)

    result = bench(fake)
    lines = lines_of(result)
    assert result.exit_code == 1
    assert "16.00 GiB" in lines["transform"]
    assert "stopped: it took more than 12.0 GiB" in lines["transform"]
    for title in ("gate 2", "publish", READERS, MODELS, BY_HAND):
        assert "not run: a part before it did not end" in lines[title]
    assert "2.0 s" in lines["day after that, whole: gate 1"]
    assert "Error: Not everything could be measured: transform: stopped" in result.stderr


def test_sql_by_hand_that_makes_something_else_fails_the_bench(bench: Callable[..., Result]) -> None:
    def fake(stage: str) -> Cost:
        cost = good(stage)
        cost.facts["marts"]["fct_security_daily"]["is_equal"] = stage != "by_hand"
        return cost

    result = bench(fake)
    assert result.exit_code == 1
    assert "fct_security_daily by hand is not what the models make" in result.stderr


def test_the_result_can_be_had_as_json(bench: Callable[..., Result]) -> None:
    result = bench(good, "--json", "--symbols", "30")
    measured = json.loads(result.stdout)
    assert measured["world"]["size"] == {"symbols": 30, "years": 5, "baskets": 4, "members": 10}
    assert [part["title"] for part in measured["world"]["parts"]] == [step.title for step in parts.STEPS]
    assert measured["world"]["parts"][1]["cost"]["peak"] == 2**30


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--symbols", "abc"], "SYMBOLS=abc is no whole number from 1 on: write it as in SYMBOLS=5."),
        (["--years", "0"], "YEARS=0 is no whole number from 1 on"),
        (["--baskets", "2.5"], "BASKETS=2.5 is no whole number from 1 on"),
        (["--members", "101"], "MEMBERS=101 is more than SYMBOLS=100"),
        (["--years", "26"], "YEARS=26 is more than the calendars of the exchanges reach back"),
        (["--memory", "4G"], "MEMORY=4G is no whole number from 1 on"),
        (["--minutes", "-1"], "MINUTES=-1 is no whole number from 1 on"),
        (["--only", "moon"], "ONLY=moon is nothing to measure: give sample or world"),
        (
            ["--symbols", "50000", "--years", "25"],
            "A world of some 318,750,000 price rows takes 297 GiB on disk or more",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(
    bench: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    sentence: str,
) -> None:
    def never(stage: str) -> Cost:
        raise AssertionError(stage)

    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=50 * 2**30))
    result = bench(never, *words)
    assert result.exit_code == 1, result.output
    assert sentence in result.stderr
    assert result.stderr.startswith("Error: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ("select 1", False),
        ("update by_hand.marts.m set value = value + 1e-9", False),
        ("update by_hand.marts.m set large = large * (1 + 5e-10)", False),
        ("update by_hand.marts.m set value = value + 3e-9", True),
        ("update by_hand.marts.m set large = large * (1 + 3e-9)", True),
        ("update by_hand.marts.m set value = null", True),
        ("update by_hand.marts.m set name = 'b'", True),
        ("delete from by_hand.marts.m", True),
        ("insert into by_hand.marts.m values ('y', 'a', 0, 0)", True),
        ("alter table by_hand.marts.m add column more integer", True),
        ("alter table by_hand.marts.m alter value type float", True),
    ],
)
def test_marts_are_compared_to_a_billionth(change: str, differs: bool) -> None:
    with duckdb.connect() as connection:
        for database in ("warehouse", "by_hand"):
            connection.execute(f"attach ':memory:' as {database}; create schema {database}.marts")
            connection.execute(
                f"create table {database}.marts.m as "
                "select 'x' as symbol, 'a' as name, 0.25::double as value, 1e12::double as large"
            )
        connection.execute(change)
        assert ratios._differs(connection, "m", ["symbol"]) is differs


def test_each_section_of_the_page_is_a_query_with_its_budget() -> None:
    page = """# Queries
## One
### 1. How far?
It answers.
```sql
select 1 where 'china_titans' = 'x'
```
Read it so.
## Two
### 2. How wide?
It answers.
```sql
select 2
```
Read it otherwise.
"""
    one, two = readers.read_queries(page)
    assert (one.title, one.sql, one.after) == ("1. How far?", "select 1 where 'china_titans' = 'x'", "Read it so.")
    assert (one.budget, two.budget) == (0.05, 1.0)


def test_queries_are_asked_about_who_is_in_the_published_file(tmp_path: Path) -> None:
    path = tmp_path / "titans.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            """create schema marts;
            create table marts.dim_baskets as from (values ('a', null), ('b', 'c'), ('c', 'b')) t(basket_id, comparator_basket_id);
            create table marts.dim_basket_members as
                from (values ('b', 'X', date '2020-01-01'), ('b', 'Z', null), ('b', 'Y', null)) t(basket_id, symbol, valid_to)"""
        )
    sql = "select 1 from range(3) where ('china_titans', 'magnificent_seven', '0700.HK') = ('b', 'c', 'Y')"
    (timed,) = readers.time_queries(path, [readers.Query("1. Who?", "", sql, "")])
    assert (timed["title"], timed["rows"], timed["budget"]) == ("1. Who?", 3, 0.05)
    assert 0 < timed["p50"] <= timed["p95"] < 1
    assert 0 < timed["cpu"] < 1


def test_the_95th_of_a_hundred_is_exceeded_by_five() -> None:
    assert readers.percentile([float(value) for value in range(100, 0, -1)], 0.95) == 95
    assert readers.percentile([3.0, 1.0, 2.0], 0.5) == 2
    assert readers.percentile([7.0], 0.95) == 7
