"""Run records: whole, readable, and telling how a run ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.raw.units import QuarantinedUnit
from include.runs.facts import CheckRawFacts, PublishFacts
from include.runs.records import FailureRow, Run, run_records, unfinished_runs
from include.runs.releases import quarantined_units, record_release, releases
from include.settings import Settings, load_settings


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


@pytest.mark.parametrize("run_id", ["../../etc/passwd", "a/b", "manual__2025-03-07T08:00:00+00:00", "x" * 150])
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
