"""Retention: what is old goes, and nothing that data are made from."""

from __future__ import annotations

import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.raw.units import QuarantinedUnit
from include.runs.facts import CheckRawFacts
from include.runs.records import Run, run_records
from include.runs.releases import quarantined_units, quarantines, record_release
from include.settings import Settings, load_settings
from titans.commands import tidy
from titans.commands.backup import back_up
from titans.commands.tidy import KEPT_RUNS, remove_old_records

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path), keep_records_days=30)


def age(path: Path, days: float) -> None:
    moment = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment), follow_symlinks=False)


def make(settings: Settings, name: str, days: float) -> Path:
    path = settings.data_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    age(path, days)
    return path


def test_old_incidents_and_logs_go_and_their_empty_folders(settings: Settings) -> None:
    old = [
        make(settings, "files/incidents/1-build_marts.md", 31),
        make(settings, "airflow/logs/dag_id=a/run_id=1/task.log", 31),
    ]
    young = [
        make(settings, "files/incidents/2-build_marts.md", 29),
        make(settings, "airflow/logs/dag_id=b/run_id=2/task.log", 29),
    ]
    remove_old_records(settings, NOW)
    assert [path for path in old if path.exists()] == []
    assert [path for path in young if not path.exists()] == []
    assert not (settings.airflow_home / "logs" / "dag_id=a").exists()


def test_data_releases_and_published_files_stay_for_good(settings: Settings) -> None:
    names = [
        "sample/landing/prices/a.parquet", "sample/landing/fx_rates/a.parquet", "sample/landing/estimates/a.parquet", "sample/landing/shares/a.parquet",
        "sample/warehouse.duckdb", "sample/known_at/2025-01-01.duckdb", "published/titans-x.duckdb", "published/titans-x.json", "airflow/airflow.db",
    ]  # fmt: skip
    paths = [make(settings, name, 4000) for name in names]
    record_release(settings.store, "prices-hk-001", "1810.HK", "looked at it")
    for path in (settings.store.runs / "releases").iterdir():
        age(path, 4000)
        paths.append(path)
    remove_old_records(settings, NOW)
    assert [path for path in paths if not path.exists()] == []


def test_the_last_records_of_each_dag_stay_whatever_their_age(settings: Settings) -> None:
    for dag_id in ("build_marts", "ingest_fx"):
        for number in range(KEPT_RUNS + 3):
            run = Run(settings.store, dag_id, f"run {number:02d}")
            with run.step("check_raw") as step:
                unit = QuarantinedUnit(batch_id="b", dataset="prices", symbol="TSM", reasons=["why"])
                step.facts = CheckRawFacts(quarantined=[unit])
            run.finish(None)
            age(settings.store.runs / f"{run.name}.json", 100 - number)
    lines = remove_old_records(settings, NOW)
    # Of each DAG the first three, but that of the build that put the unit into quarantine.
    assert lines[0] == "Removed 5 run records older than 30 days."
    kept = [record.run_id for record in run_records(settings.store, "build_marts")]
    assert kept == ["run 00", *(f"run {number:02d}" for number in range(3, KEPT_RUNS + 3))]
    assert [unit.symbol for unit in quarantined_units(settings.store)] == ["TSM"]


def test_what_was_in_quarantine_once_is_known_to_a_rebuilt_warehouse_for_good(settings: Settings) -> None:
    """Healed since, and by no later record named: loading it anew must not let it in."""
    for number in range(KEPT_RUNS + 1):
        run = Run(settings.store, "build_marts", f"run {number:02d}")
        with run.step("check_raw") as step:
            unit = QuarantinedUnit(batch_id="b", dataset="prices", symbol="TSM", reasons=["why"])
            step.facts = CheckRawFacts(quarantined=[] if number else [unit])
        run.finish(None)
        age(settings.store.runs / f"{run.name}.json", 1000 - number)
    before = quarantines(settings.store)
    assert len(before) == 1
    remove_old_records(settings, NOW)
    assert quarantines(settings.store) == before


def test_by_default_nothing_of_the_last_year_goes(tmp_path: Path) -> None:
    settings = load_settings(data_dir=str(tmp_path))
    path = make(settings, "files/incidents/1-build_marts.md", 366)
    remove_old_records(settings, NOW)
    assert path.exists()


def test_what_another_tidy_removes_meanwhile_is_no_failure(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of three files goes at another moment: before it is looked at, before it is removed, and by this one."""
    before, after, own = (make(settings, f"airflow/logs/{name}.log", 31) for name in ("before", "after", "own"))
    modified = tidy._modified

    def removed_meanwhile(path: Path) -> float:
        if path == before:
            path.unlink()
        moment = modified(path)
        if path == after:
            path.unlink()
        return moment

    monkeypatch.setattr(tidy, "_modified", removed_meanwhile)
    assert "Removed 2 log files older than 30 days." in remove_old_records(settings, NOW)
    assert not own.exists()


def test_two_backups_at_a_time_are_two_files(settings: Settings, tmp_path: Path) -> None:
    """In one second they wrote one file, and one of them failed."""
    kept = settings.model_copy(update={"data_dir": tmp_path / "data"})
    with ThreadPoolExecutor(4) as pool:
        paths = {future.result() for future in [pool.submit(back_up, kept) for _ in range(6)]}
    assert len(paths) == 6
    for path in paths:
        with tarfile.open(path) as whole:
            assert "seeds/securities.csv" in whole.getnames()
