"""Airflow keeps every run until `make tidy` finds it old: what ``make run`` executes leaves the runs before it, and their task states, alone."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from include.runs.records import Run
from include.settings import PROJECT_ROOT, Settings, load_settings
from titans.airflow_env import database_of
from titans.commands.tidy import tidy_up

ROUNDS = 5
ASSET_TRIGGERED = 2
TASKS_OF_INGEST = {"plan_batches": 1, "fetch_batch": 2, "land": 1}
"""Of exchange rates and of risk-free rates."""
TASKS_OF_BUILD = dict.fromkeys(["load", "check_raw", "transform", "check_marts", "publish", "record"], 1)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[str]]]:
    """Runs and task instances of Airflow's database after five rounds and two runs that assets triggered."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.end_to_end.test_run_history"],
        cwd=PROJECT_ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT_ROOT),
            "TITANS_DATA_DIR": str(tmp_path_factory.mktemp("history")),
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    answer: dict[str, list[list[str]]] = json.loads(process.stdout.splitlines()[-1])
    return answer


def test_every_run_stays(history: dict[str, list[list[str]]]) -> None:
    assert Counter((dag_id, kind, state) for dag_id, _, kind, state in history["runs"]) == {
        ("ingest_fx", "manual", "success"): ROUNDS,
        ("build_marts", "manual", "success"): ROUNDS,
        ("build_marts", "asset_triggered", "success"): ASSET_TRIGGERED,
    }


def test_every_task_keeps_its_state(history: dict[str, list[list[str]]]) -> None:
    tasks: dict[str, Counter[str]] = {}
    for _, run_id, task, state in history["tasks"]:
        assert state == "success", (run_id, task)
        tasks.setdefault(run_id, Counter())[task] += 1
    assert len(tasks) == 2 * ROUNDS + ASSET_TRIGGERED
    for dag_id, run_id, _, _ in history["runs"]:
        assert tasks[run_id] == (TASKS_OF_INGEST if dag_id == "ingest_fx" else TASKS_OF_BUILD)


def test_a_run_without_as_of_is_about_today(history: dict[str, list[list[str]]]) -> None:
    """The logical date that keeps the history is the moment at which the run is due."""
    assert len(history["as_of"]) == ROUNDS
    for as_of, due, logical in history["as_of"]:
        assert as_of == str(datetime.fromisoformat(due).astimezone(UTC).date())
        assert logical == due


def test_make_tidy_removes_the_oldest_runs_with_all_that_is_theirs(history: dict[str, list[list[str]]]) -> None:
    """Of a run 91 days ago nothing is left in Airflow's database; of the others every run and task is."""
    (gone,) = history["aged"][0]
    assert gone.startswith("manual__")
    kept = [[dag_id, run_id] for dag_id, run_id, _, _ in history["runs"] if run_id != gone]
    assert history["runs_kept"] == kept
    assert sorted(history["tasks_kept"]) == sorted(row for row in history["tasks"] if row[1] != gone)
    assert history["rows_of_aged"] == [["0"] * len(_OF_A_RUN)]
    (line,) = history["tidied"][0]
    assert re.fullmatch(r"Removed    \d+ rows of Airflow's database; kept are .* of 90", line), line
    assert history["tables_left_over"] == []


_OF_A_RUN = {"dag_run": "start_date", "task_instance": "start_date", "xcom": "timestamp", "log": "dttm"}


def _tidy_an_old_run(settings: Settings) -> dict[str, list[list[str]]]:
    """Let the first run of ``build_marts`` be 91 days old, and tidy after a clean that was killed."""
    old = str(datetime.now(UTC) - timedelta(days=91)).removesuffix("+00:00")
    with closing(sqlite3.connect(database_of(settings.airflow_home))) as database:

        def rows(sql: str, *values: str) -> list[list[str]]:
            return [[str(value) for value in row] for row in database.execute(sql, values)]

        ((aged,),) = rows("select run_id from dag_run where dag_id = 'build_marts' order by start_date limit 1")
        for table, column in _OF_A_RUN.items():
            database.execute(f"update {table} set {column} = ? where run_id = ?", [old, aged])
        database.commit()
        counts = ", ".join(f"(select count(*) from {table} where run_id = '{aged}')" for table in _OF_A_RUN)
        assert "0" not in rows(f"select {counts}")[0], "the run left rows in each table"
        database.execute("create table _airflow_deleted__log__20250101000000__b1 as select * from log limit 1")
        database.commit()
        line = tidy_up(settings)
        return {
            "aged": [[aged]],
            "tidied": [[line]],
            "rows_of_aged": rows(f"select {counts}"),
            "runs_kept": rows("select dag_id, run_id from dag_run order by id"),
            "tasks_kept": rows("select dag_id, run_id, task_id, state from task_instance"),
            "tables_left_over": rows("select name from sqlite_master where name like '\\_airflow\\_%' escape '\\'"),
        }


def _main() -> None:
    from titans.airflow_env import prepare_airflow, set_airflow_environment
    from titans.output import quiet_libraries
    from titans.pipeline import _execute

    settings = load_settings()
    home = settings.airflow_home
    with quiet_libraries(home / "logs" / "history.log"):
        set_airflow_environment(home)
        prepare_airflow(home)
        from airflow.dag_processing.dagbag import BundleDagBag
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import select

        folder = PROJECT_ROOT / "dags"
        bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
        _forget_the_work(bag)
        for number in range(ROUNDS):
            _execute(settings.store, bag, "ingest_fx", {"symbols": ["USDHKD"]})
            if number == 1:
                for _ in range(ASSET_TRIGGERED):
                    _trigger_by_assets(bag)
            _execute(settings.store, bag, "build_marts", {})
        with create_session() as session:
            runs = session.scalars(select(DagRun).order_by(DagRun.id)).all()
            tasks = session.scalars(select(TaskInstance)).all()
            answer = {
                "runs": [[run.dag_id, run.run_id, str(run.run_type), str(run.state)] for run in runs],
                "tasks": [[task.dag_id, task.run_id, task.task_id, str(task.state)] for task in tasks],
                "as_of": [
                    [_as_of(settings, run), str(run.run_after), str(run.logical_date)]
                    for run in runs
                    if run.dag_id == "build_marts" and run.run_type == "manual"
                ],
            }
    print(json.dumps(answer | _tidy_an_old_run(settings)))


def _as_of(settings: Settings, run: Any) -> str | None:
    record = Run(settings.store, run.dag_id, run.run_id).record()
    assert record is not None, run.run_id
    return record.as_of


def _forget_the_work(bag: Any) -> None:
    """The tasks of a build end at once: history is counted here, not marts."""
    for task in bag.get_dag("build_marts").tasks:
        if task.task_id not in ("publish", "record"):
            task.python_callable = _nothing
        elif task.task_id == "publish":
            task.python_callable = _publish_nothing


def _nothing() -> None:
    pass


def _publish_nothing() -> None:
    """Leaves the step without which a run does not count as whole."""
    from wiring.runs import current_run, run_settings

    with current_run(run_settings()).step("publish"):
        pass


def _trigger_by_assets(bag: Any) -> None:
    """A finished run as the scheduler makes one for an asset event: without a logical date."""
    from airflow.models.dagrun import DagRun
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.utils.types import DagRunType

    create = SerializedDAG.create_dagrun

    def create_of_assets(self: Any, **values: Any) -> Any:
        kind = DagRunType.ASSET_TRIGGERED
        run_id = DagRun.generate_run_id(run_type=kind, run_after=values["run_after"])
        undated = {"run_id": run_id, "run_type": kind, "logical_date": None, "data_interval": None}
        return create(self, **{**values, **undated})

    now = datetime.now(UTC)
    with patch.object(SerializedDAG, "create_dagrun", create_of_assets):
        bag.get_dag("build_marts").test(run_after=now, logical_date=now)


if __name__ == "__main__":
    _main()
