"""The main job as a user starts it: real Airflow DAG runs in a process of their own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from include.settings import PROJECT_ROOT
from tests.integration.yahoo_stand_in import YahooStandIn, generate
from tests.pipeline import copy_project


def titans(data: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "titans", *arguments],
        cwd=PROJECT_ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT), "TITANS_DATA_DIR": str(data), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that its path may hold."""
    return tmp_path_factory.mktemp("run") / "a b é 中 (1) & x=1, @ ! ~ + : ^ | < > `"


@pytest.fixture(scope="module")
def first_run(data: Path) -> subprocess.CompletedProcess[str]:
    # In a locale that knows no é: what a cron job or a slim container has.
    result = titans(data, "run", LC_ALL="C", PYTHONUTF8="0")
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def test_summary_tells_what_a_user_needs(first_run: subprocess.CompletedProcess[str], data: Path) -> None:
    out = first_run.stdout
    for part in ("ingest_prices_hk", "ingest_prices_us", "ingest_fx", "ingest_estimates", "build_marts"):
        assert f"✓ {part}" in out
    assert "7 March 2025, simulated data" in out
    assert "China's seven tech titans gained" in out
    assert "14 returns since events" in out
    assert "since the DeepSeek moment" not in out
    assert "of 15 claims 9 agree on their day, 6 differ: see fct_press_reconciliation" in out
    assert "0 failed" in out
    assert str(data / "published" / "titans.duckdb") in out
    page = data / "published" / "report" / "index.html"
    assert f"Report     {page}" in out
    assert titans(data, "report").stdout == f"{page}\n"
    assert "China's seven tech titans" in page.read_text(encoding="utf-8").replace("&#39;", "'")
    assert "make query" in out
    assert first_run.stderr == ""


def test_runs_are_airflows_own(first_run: subprocess.CompletedProcess[str], data: Path) -> None:
    with sqlite3.connect(data / "airflow" / "airflow.db") as connection:
        runs = connection.execute("select dag_id, state from dag_run order by start_date").fetchall()
        events = connection.execute("select count(*) from asset_event").fetchone()
    assert runs == [
        (dag_id, "success")
        for dag_id in ("ingest_prices_hk", "ingest_prices_us", "ingest_fx", "ingest_estimates", "build_marts")
    ]
    assert events == (4,)


def test_second_run_with_nothing_new_makes_no_generation(
    first_run: subprocess.CompletedProcess[str], data: Path
) -> None:
    before = (data / "published" / "titans.duckdb").resolve()
    result = titans(data, "run", TITANS_AS_OF="2025-03-02")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "nothing has changed, so no new generation" in result.stdout
    assert "2025-03-02 has no session in the data; the last one before it is 2025-02-28" in result.stdout
    assert "28 February 2025" in result.stdout
    assert (data / "published" / "titans.duckdb").resolve() == before


def test_a_seed_edit_is_published_by_a_build_alone(
    first_run: subprocess.CompletedProcess[str], data: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "data"
    subprocess.run(["cp", "-a", str(data), str(copy)], check=True)
    project = copy_project(tmp_path / "dbt_project")
    with (project / "seeds" / "baskets.csv").open("a") as baskets:
        baskets.write("chips,Chips of two worlds,equal,annual,,magnificent_seven\n")
    with (project / "seeds" / "basket_members.csv").open("a") as members:
        members.write("chips,0981.HK,,\nchips,NVDA,,\n")
    result = titans(copy, "build", TITANS_DBT_PROJECT_DIR=str(project), TITANS_AS_OF="2025-03-05")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "✓ build_marts" in result.stdout
    assert "ingest_" not in result.stdout
    assert "5 March 2025" in result.stdout
    with duckdb.connect(str(copy / "published" / "titans.duckdb"), read_only=True) as connection:
        members_now = connection.execute(
            "select count(distinct symbol) from marts.fct_basket_member_daily where basket_id = 'chips'"
        ).fetchone()
    assert members_now == (2,)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, ["no price to build from", "make run"]),
        ({"TITANS_SOURCE": "files"}, ["SOURCE=files needs FILES="]),
        ({"TITANS_FILES_DIR": "/exports"}, ["FILES=/exports is for source files"]),
    ],
)
def test_a_build_of_an_empty_folder_says_what_is_missing(
    tmp_path: Path, environment: dict[str, str], words: list[str]
) -> None:
    result = titans(tmp_path, "build", **environment)
    assert result.returncode == 1
    assert [word for word in words if word not in result.stderr] == []


def test_status_and_query(first_run: subprocess.CompletedProcess[str], data: Path) -> None:
    status = titans(data, "status")
    assert "simulated, source sample, as of 2025-03-07" in status.stdout
    assert len(status.stdout.splitlines()) <= 10
    query = titans(data, "query", "select count(*) as baskets from dim_baskets")
    assert query.stdout.split() == ["baskets", "2"]
    wide = titans(data, "query", "select * from fct_security_daily where symbol = 'AAPL' and date = '2025-03-07'")
    assert "…" not in wide.stdout
    assert ["close", "239.07"] in [line.split() for line in wide.stdout.splitlines()]
    empty = titans(data, "query", "select * from fct_security_daily where symbol = 'NOPE'").stdout
    assert empty.splitlines() == ["No rows.", "There is no symbol NOPE in dim_securities."]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"TITANS_KNOWN_AT": "2019-06-03"}, ["KNOWN_AT=2019-06-03", "before the data", "2020-12-31"]),
        (
            {"TITANS_KNOWN_AT": "2024-05-31", "TITANS_SOURCE": "yahoo"},
            ["nothing to look back on", "Build it first: make run SOURCE=yahoo"],
        ),
    ],
)
def test_a_build_that_stops_ends_in_one_sentence(
    first_run: subprocess.CompletedProcess[str], data: Path, environment: dict[str, str], words: list[str]
) -> None:
    result = titans(data, "run", **environment)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr + result.stdout
    assert [word for word in words if word not in result.stderr] == []


def test_backup_reset_and_restore(first_run: subprocess.CompletedProcess[str], data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    subprocess.run(["cp", "-a", str(data), str(copy)], check=True)
    kept = [
        path.name
        for dataset in ("estimates", "shares", "fundamentals")
        for path in (copy / "sample" / "landing" / dataset).glob("*.parquet")
    ]
    removed = titans(copy, "reset", "--confirm", "yes")
    assert removed.returncode == 0, removed.stderr
    assert not copy.exists()
    (archive,) = (tmp_path / "backups").glob("titans-*.tar.gz")
    restored = titans(copy, "restore", str(archive))
    assert f"Restored {len(kept)} files" in restored.stdout
    assert sorted(path.name for path in (copy / "sample" / "landing").rglob("*.parquet")) == sorted(kept)


def test_yahoo_through_the_stand_in(tmp_path: Path) -> None:
    """The real client and the whole pipeline, against a loopback server that speaks Yahoo's JSON."""
    with YahooStandIn() as server:
        generate(
            server, datetime.now(UTC), years=1
        )  # after the days of vendor_corrections.csv, which know the real prices
        result = titans(tmp_path, "run", TITANS_SOURCE="yahoo", TITANS_YAHOO_BASE_URL=server.url)
    assert result.returncode == 0, result.stdout + result.stderr
    with duckdb.connect(str(tmp_path / "published" / "titans.duckdb"), read_only=True) as connection:
        assert connection.execute("select distinct source from marts.fct_security_daily").fetchall() == [("yahoo",)]
        assert connection.execute("select count(*) from marts.dim_baskets where base_date is null").fetchall() == [(0,)]
        assert connection.execute("select count(distinct symbol) from marts.fct_estimate_snapshots").fetchall() == [
            (14,)
        ]
        assert connection.execute("select count(trailing_pe) from marts.fct_security_fundamentals").fetchall() == [
            (14,)
        ]
        bills = "select symbol, outcome, row_count > 200 from ops.fetches where dataset = 'risk_free'"
        assert connection.execute(bills).fetchall() == [("USD", "landed", True)]
