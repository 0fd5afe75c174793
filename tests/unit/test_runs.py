"""Run records: whole, readable, and telling how a run ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.raw.units import QuarantinedUnit
from include.runs.facts import CheckRawFacts, PublishFacts
from include.runs.records import FailureRow, Run, forget_killed_runs, run_records, unfinished_runs
from include.runs.releases import quarantined_units, record_release, releases
from include.settings import PROJECT_ROOT, Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path))


def test_a_failed_step_fails_the_run_and_keeps_its_sentence(settings: Settings) -> None:
    run = Run(settings.store, "build_marts", "manual__2025-03-07T08:00:00+00:00")
    with run.step("load"):
        pass
    with pytest.raises(ValueError, match="the rate is wrong"), run.step("check_raw"):
        raise ValueError("the rate is wrong")
    assert unfinished_runs(settings.store) == [run.name]
    record = run.finish("2025-03-07")
    assert record.outcome == "failed"
    assert [(step.step, step.outcome) for step in record.steps] == [("load", "success"), ("check_raw", "failed")]
    assert record.steps[1].message == "the rate is wrong"
    assert unfinished_runs(settings.store) == []
    assert run_records(settings.store) == [record]


def test_a_symbol_that_failed_for_good_makes_a_run_partial(settings: Settings) -> None:
    for is_final, outcome in ((False, "success"), (True, "partial")):
        run = Run(settings.store, "ingest_fx", f"run {is_final}")
        with run.step("fetch") as step:
            step.failures = [FailureRow(dataset="prices", symbol="TSM", reason="busy", attempt=1, is_final=is_final)]
        assert run.finish(None).outcome == outcome


def test_a_run_whose_last_tasks_were_cleared_keeps_the_steps_before(settings: Settings) -> None:
    run = Run(settings.store, "build_marts", "one")
    for name in ("check_raw", "publish"):
        with run.step(name) as step:
            if name == "check_raw":
                unit = QuarantinedUnit(batch_id="b", dataset="prices", symbol="TSM", reasons=["why"])
                step.facts = CheckRawFacts(quarantined=[unit])
    run.finish(None)
    again = Run(settings.store, "build_marts", "one")
    with again.step("publish") as step:
        step.facts = PublishFacts(is_new=True)
    assert [step.step for step in again.finish(None).steps] == ["check_raw", "publish"]
    assert [unit.symbol for unit in quarantined_units(settings.store)] == ["TSM"]


def test_a_damaged_record_does_not_hide_the_others(settings: Settings) -> None:
    run = Run(settings.store, "build_marts", "one")
    with run.step("load"):
        pass
    run.finish(None)
    (settings.store.runs / "build_marts.two.json").write_text('{"run_id": ')
    assert [record.run_id for record in run_records(settings.store)] == ["one"]


def test_a_step_whose_record_leads_nowhere_is_damaged(settings: Settings) -> None:
    run = Run(settings.store, "build_marts", "one")
    with run.step("load"):
        pass
    (path,) = settings.store.runs.glob("*/load.json")
    for target in ("load.json", "nowhere"):
        path.unlink()
        path.symlink_to(target)
        assert [(step.step, step.outcome) for step in run.steps()] == [("load", "failed")]


@pytest.mark.parametrize(
    "run_id", ["../../etc/passwd", "a/b", "manual__2025-03-07T08:00:00+00:00", "x" * 150, "x" * 250]
)
def test_no_run_id_leaves_the_folder(settings: Settings, run_id: str) -> None:
    run = Run(settings.store, "build_marts", run_id)
    with run.step("load"):
        pass
    run.finish(None)
    (path,) = settings.store.runs.glob("*.json")
    assert path.parent == settings.store.runs


def test_releases_stay_on_record(settings: Settings) -> None:
    record_release(settings.store, "prices-hk-001", "1810.HK", "looked at it")
    (row,) = releases(settings.store)
    assert (row.batch_id, row.symbol, row.reason) == ("prices-hk-001", "1810.HK", "looked at it")


def test_units_of_like_names_have_a_release_each(settings: Settings) -> None:
    """The second took the place of the first, whose unit stayed out of a warehouse that was rebuilt."""
    for symbol in ("BRK/B", "BRK-B", "^HSI", "-HSI"):
        record_release(settings.store, "prices-us-001", symbol, "looked at it")
    assert sorted(release.symbol for release in releases(settings.store)) == ["-HSI", "BRK-B", "BRK/B", "^HSI"]


LIVE_RUN = """
import sys, time
from include.runs.pins import settings_of_run
from include.runs.records import Run

settings = settings_of_run("build_marts", "scheduled__1")
run = Run(settings.store, "build_marts", "scheduled__1")
with run.step("load"):
    pass
print("loaded", flush=True)
sys.stdin.readline()
with Run(settings_of_run("build_marts", "scheduled__1").store, "build_marts", "scheduled__1").step("publish"):
    pass
run.finish(None, "publish")
"""


@pytest.mark.parametrize("is_server", [True, False], ids=["a server", "the data folder's own Airflow"])
def test_a_run_of_another_airflow_is_not_declared_dead(settings: Settings, tmp_path: Path, is_server: bool) -> None:
    """Another process, whose pid says nothing: a container has its own. Its source is pinned, and its first step recorded."""
    home = tmp_path / "elsewhere" if is_server else settings.airflow_home
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT_ROOT),
        "AIRFLOW_HOME": str(home),
        "TITANS_DATA_DIR": str(tmp_path),
        "TITANS_SOURCE": "sample",
    }
    with subprocess.Popen(
        [sys.executable, "-c", LIVE_RUN], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        forget_killed_runs(settings.store)
        assert len(unfinished_runs(settings.store)) == is_server
        process.communicate("go on\n", timeout=60)
    (record,) = run_records(settings.store)
    assert [step.step for step in record.steps] == (["load", "publish"] if is_server else ["publish"])


def test_a_run_that_says_nothing_of_its_airflow_is_dead_after_a_day(settings: Settings) -> None:
    """The first task of a run makes its folder and then says so. A damaged word is none."""
    young, old, damaged = (Run(settings.store, "build_marts", name) for name in ("young", "old", "damaged"))
    for run in (young, old, damaged):
        with run.step("source"):
            pass
    damaged.pin_path.write_text("nothing")
    for run in (old, damaged):
        os.utime(run.pin_path.parent, (0, 0))
    forget_killed_runs(settings.store)
    assert unfinished_runs(settings.store) == [damaged.name, young.name]
