"""Retention: what is old goes, and nothing that data are made from."""

from __future__ import annotations

import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.errors import TitansError
from include.raw.units import QuarantinedUnit
from include.runs.facts import CheckRawFacts
from include.runs.records import Run, run_records
from include.runs.releases import quarantined_units, quarantines, record_release
from include.settings import Settings, load_settings
from titans.airflow_env import database_of
from titans.commands import tidy
from titans.commands.backup import back_up
from titans.commands.tidy import KEPT_RUNS, remove_old_logs, remove_old_records, tidy_up

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Airflow's logs are in its home, and it has no database."""
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path / "airflow" / "logs"))
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{database_of(tmp_path / 'airflow')}")
    project = str(tmp_path / "dbt_project")
    return load_settings(data_dir=str(tmp_path), dbt_project_dir=project, keep_records_days=30, keep_logs_days=10)


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
        make(settings, "airflow/logs/dag_id=a/run_id=1/task.log", 11),
        make(settings, "airflow/logs/dag_id=a/run_id=1/task.log.trigger.1.log", 11),
        make(settings, "airflow/logs/dag_processor/2026-05-01/dags-folder/build_marts.py.log", 11),
        make(settings, "airflow/logs/make-run.log.1", 11),
        make(settings, "sample/dbt/target/compiled/a_model_that_is_gone.sql", 11),
        make(settings, "sample/dbt/logs/dbt.log.1", 11),
        make(settings, "dbt_project/target/manifest.json", 11),
    ]
    young = [
        make(settings, "files/incidents/2-build_marts.md", 29),
        make(settings, "airflow/logs/dag_id=b/run_id=2/task.log", 9),
        make(settings, "airflow/logs/make-run.log", 9),
        make(settings, "sample/dbt/target/compiled/model.sql", 9),
        make(settings, "sample/dbt/logs/dbt.log", 9),
        make(settings, "sample/dbt/parsed/project.msgpack", 11),
        make(settings, "dbt_project/models/model.sql", 11),
    ]
    remove_old_records(settings, NOW)
    assert remove_old_logs(settings, NOW) == {"log files": 4, "files of dbt": 3}
    assert [path for path in old if path.exists()] == []
    assert [path for path in young if not path.exists()] == []
    assert not (settings.airflow_home / "logs" / "dag_id=a").exists()
    assert not (settings.airflow_home / "logs" / "dag_processor").exists()


def test_logs_of_a_run_under_way_stay_whatever_their_age(settings: Settings) -> None:
    """A task of it ended long ago, and another writes now."""
    run = "airflow/logs/dag_id=a/run_id=1/"
    logs = [make(settings, f"{run}task_id=first/attempt=1.log", 11), make(settings, f"{run}task_id=next/a.log", 0)]
    remove_old_logs(settings, NOW)
    assert [path for path in logs if not path.exists()] == []


def test_what_was_removed_is_one_line(settings: Settings) -> None:
    for number in range(2):
        make(settings, f"airflow/logs/dag_id=a/run_id={number}/task.log", 400)
    make(settings, "files/incidents/1-build_marts.md", 400)
    kept = "kept are run records and incidents of 30 days, logs and Airflow's history of 10"
    assert tidy_up(settings) == f"Removed    1 incidents, 2 log files; {kept}"
    assert tidy_up(settings) == f"Removed    nothing; {kept}"


def test_logs_that_a_run_under_way_may_write_cannot_be_called_old(tmp_path: Path) -> None:
    with pytest.raises(TitansError, match="KEEP_LOGS_DAYS must be a whole number from 7 on"):
        load_settings(data_dir=str(tmp_path), keep_logs_days=6)


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
    # Of each DAG the first three, but that of the build that put the unit into quarantine.
    assert remove_old_records(settings, NOW)["run records"] == 5
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
    before, after, own = (
        make(settings, f"files/incidents/{name}-build_marts.md", 31) for name in ("before", "after", "own")
    )
    modified = tidy._modified

    def removed_meanwhile(path: Path) -> float:
        if path == before:
            path.unlink()
        moment = modified(path)
        if path == after:
            path.unlink()
        return moment

    monkeypatch.setattr(tidy, "_modified", removed_meanwhile)
    assert remove_old_records(settings, NOW)["incidents"] == 2
    assert not own.exists()


def test_two_backups_at_a_time_are_two_files(tmp_path: Path) -> None:
    """In one second they wrote one file, and one of them failed."""
    kept = load_settings(data_dir=str(tmp_path / "data"))
    with ThreadPoolExecutor(4) as pool:
        paths = {future.result() for future in [pool.submit(back_up, kept) for _ in range(6)]}
    assert len(paths) == 6
    for path in paths:
        with tarfile.open(path) as whole:
            assert "seeds/securities.csv" in whole.getnames()


def test_what_cannot_go_keeps_nothing_else(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error said that the rest was tidied: dbt's files and old history were not, nor what came after one file."""
    database_of(settings.airflow_home).parent.mkdir(parents=True)
    database_of(settings.airflow_home).touch()
    kept, *others = (make(settings, f"files/incidents/{number}-build_marts.md", 400) for number in range(3))
    others.append(make(settings, "sample/dbt/target/compiled/a_model_that_is_gone.sql", 400))
    others.append(make(settings, "airflow/logs/dag_id=a/run_id=1/task.log", 400))
    real = Path.unlink

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path == kept:
            raise PermissionError(13, os.strerror(13), str(path))
        real(path, missing_ok)

    def full(_: datetime) -> int:
        raise TitansError("Airflow's database could not be cleaned (disk is full).")

    def held(_: Settings) -> list[str]:
        raise TitansError("Another build is writing.")

    monkeypatch.setattr(Path, "unlink", refused)
    monkeypatch.setattr(tidy, "clean_airflow_database", full)
    monkeypatch.setattr(tidy, "remove_old_history", held)
    with pytest.raises(
        TitansError,
        match=r"0-build_marts\.md cannot be removed .*disk is full.*Another build.* Removed 1 log files, 1 files of dbt;",
    ):
        tidy_up(settings)
    assert [path for path in others if path.exists()] == []


def test_a_record_that_cannot_be_read_is_not_removed(settings: Settings) -> None:
    """It may be the one that a rebuilt warehouse reads a quarantine from."""
    for number in range(KEPT_RUNS + 2):
        run = Run(settings.store, "build_marts", f"run {number:02d}")
        run.finish(None)
        path = settings.store.runs / f"{run.name}.json"
        if number == 0:
            path.write_bytes(path.read_bytes().replace(b"build_marts", b"build_martz"))
        age(path, 1000 - number)
    assert remove_old_records(settings, NOW)["run records"] == 1
    assert (settings.store.runs / "build_marts.run-00.json").exists()
