"""Facts of steps: records that earlier versions wrote are read, and a damaged one hides nothing else."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include.raw.units import QuarantinedUnit
from include.runs.facts import (
    CheckMartsFacts,
    CheckRawFacts,
    FetchFacts,
    LandFacts,
    LoadFacts,
    PlanFacts,
    PublishFacts,
    Restated,
    StepFacts,
    TransformFacts,
)
from include.runs.records import Run, StepRecord, damaged_files, run_records
from include.settings import load_settings

MOMENT = "2026-11-27T19:46:16Z"
UNIT = {"batch_id": "prices-hk-001", "dataset": "prices", "symbol": "1810.HK", "reasons": ["no_jump: 2 to 4"]}
BATCH = {
    "dataset": "prices", "group": "hk", "index": 1, "symbols": ["9988.HK", "0700.HK"], "start": None, "end": "2025-03-07",
    "is_window_given": False, "name": "prices hk 1: 2 symbols from the beginning",
}  # fmt: skip
# What version 0.1.0 wrote.
WRITTEN: dict[str, dict[str, Any]] = {
    "plan": {"batches": [BATCH]},
    "fetch prices hk 1 attempt 2": {
        "dataset": "prices", "rows": 8216, "symbols": 1, "taken_over": ["0700.HK"], "end": "2025-03-07",
    },
    "land": {"as_of": "2025-03-07", "rows": 8216, "symbols": 2, "taken_over": 1, "failed": ["9618.HK"]},
    "load": {"batches": 5, "rows_new": 26156, "rows_unchanged": 4, "rows_rejected": 1, "rejected": ["no close: 1"]},
    "check_raw": {"units": 47, "quarantined": [UNIT]},
    "transform": {"nodes": {"success": 83, "pass": 75}, "warnings": ["a warning"]},
    "check_marts": {"passed": 67, "warned": 3},
    "publish": {
        "generation": "20261127T194515.970553Z-fcb378c", "is_new": True, "changed": ["dim_baskets"], "is_held": False,
        "changed_source_from": "sample", "restated": {"rows": 2, "largest": ["TSM close"], "headlines": []},
    },
}  # fmt: skip


def read(step: str, facts: dict[str, Any]) -> StepFacts:
    values = {"step": step, "outcome": "success", "started_at": MOMENT, "ended_at": MOMENT, "facts": facts}
    return StepRecord.model_validate_json(json.dumps(values)).facts


def test_records_of_version_0_1_0_are_read() -> None:
    plan = read("plan", WRITTEN["plan"])
    assert isinstance(plan, PlanFacts)
    assert [(batch.symbols, batch.start, batch.end) for batch in plan.batches] == [
        (["9988.HK", "0700.HK"], None, date(2025, 3, 7))
    ]
    assert {step: read(step, facts) for step, facts in WRITTEN.items() if step != "plan"} == {
        "fetch prices hk 1 attempt 2": FetchFacts(
            dataset="prices", rows=8216, symbols=1, taken_over=["0700.HK"], end=date(2025, 3, 7)
        ),
        "land": LandFacts(as_of=date(2025, 3, 7), rows=8216, symbols=2, taken_over=1, failed=["9618.HK"]),
        "load": LoadFacts(batches=5, rows_new=26156, rows_unchanged=4, rows_rejected=1, rejected=["no close: 1"]),
        "check_raw": CheckRawFacts(
            units=47,
            quarantined=[
                QuarantinedUnit(
                    batch_id="prices-hk-001", dataset="prices", symbol="1810.HK", reasons=["no_jump: 2 to 4"]
                )
            ],
        ),
        "transform": TransformFacts(nodes={"success": 83, "pass": 75}, warnings=["a warning"]),
        "check_marts": CheckMartsFacts(passed=67, warned=3),
        "publish": PublishFacts(
            generation="20261127T194515.970553Z-fcb378c",
            is_new=True,
            changed=["dim_baskets"],
            changed_source_from="sample",
            restated=Restated(rows=2, largest=["TSM close"]),
        ),
    }


def test_plans_of_before_0_1_0_are_read() -> None:
    """They named the batches alone. All ingest runs of a folder that was brought over were called damaged."""
    assert read("plan", {"batches": ["prices hk 1: 8 symbols from the beginning"]}) == PlanFacts()


@pytest.mark.parametrize("step", WRITTEN)
def test_the_names_of_the_fields_stay(step: str) -> None:
    assert json.loads(read(step, WRITTEN[step]).model_dump_json()).items() >= WRITTEN[step].items()


def test_point_in_time_builds_of_version_0_1_0_are_read() -> None:
    load = {"batches": 0, "rows_new": 0, "rows_rejected": 0, "rows_copied": 9}
    assert read("load", load) == LoadFacts(rows_copied=9)
    publish = {"path": "/data/files/known_at/2024-05-31.duckdb", "restated": {"rows": 0, "largest": []}}
    assert read("publish", publish) == PublishFacts(
        path="/data/files/known_at/2024-05-31.duckdb", restated=Restated(rows=0)
    )


@pytest.mark.parametrize("step", WRITTEN)
def test_fields_of_a_later_version_are_passed_over(step: str) -> None:
    assert read(step, {**WRITTEN[step], "added_later": {"a": 1}}) == read(step, WRITTEN[step])


@pytest.mark.parametrize("step", [*WRITTEN, "as_of", "the step after load"])
def test_a_step_without_facts_has_none(step: str) -> None:
    facts = read(step, {})
    assert type(facts) is StepFacts
    assert facts.model_dump_json() == "{}"


@pytest.mark.parametrize(
    "damaged",
    [
        {"publish": {"is_new": "perhaps"}},
        {"check_raw": {"quarantined": [{"symbol": "TSM"}]}},
        {"transform": {"nodes": ["success"]}},
        {"load": 7},
    ],
    ids=str,
)
def test_a_record_with_damaged_facts_is_passed_over_and_named(tmp_path: Path, damaged: dict[str, Any]) -> None:
    store = load_settings(data_dir=str(tmp_path)).store
    good, bad = Run(store, "build_marts", "good"), Run(store, "build_marts", "bad")
    for run in (good, bad):
        for step in ("load", "check_raw", "transform", "publish"):
            with run.step(step):
                pass
        run.finish("2025-03-07", "publish")
    path = store.runs / f"{bad.name}.json"
    record = json.loads(path.read_text())
    for step in record["steps"]:
        step["facts"] = damaged.get(step["step"], {})
    path.write_text(json.dumps(record))
    assert [each.run_id for each in run_records(store)] == ["good"]
    assert damaged_files(store) == [path]
    assert bad.record() is None


def test_a_damaged_part_of_a_run_under_way_is_a_failed_step_that_names_it(tmp_path: Path) -> None:
    run = Run(load_settings(data_dir=str(tmp_path)).store, "build_marts", "one")
    for step in ("load", "check_raw"):
        with run.step(step):
            pass
    (part,) = tmp_path.rglob("load.json")
    part.write_text('{"step": "lo')
    load, check_raw = sorted(run.finish("2025-03-07").steps, key=lambda step: step.step, reverse=True)
    assert (check_raw.step, check_raw.outcome) == ("check_raw", "success")
    assert (load.step, load.outcome) == ("load", "failed")
    assert load.message.startswith(f"{part}, the record of this step, cannot be read")
