"""Real DAG runs in a process of their own: Airflow keeps one home and one logging set-up a process, which no test may leave behind.

``execute`` is for tests; ``python -m tests.dags.dag_runs`` is the process that it starts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from include.runs.pins import settings_of_ended_run
from include.runs.records import Run, RunRecord
from include.settings import PROJECT_ROOT, Settings


@dataclass(frozen=True)
class Request:
    """A run to execute. ``run_type`` as Airflow names it; a scheduled or backfill run needs ``logical_date``, the moment of its slot."""

    dag_id: str
    conf: dict[str, Any] = field(default_factory=dict)
    run_type: str = "manual"
    logical_date: str | None = None


@dataclass(frozen=True)
class TaskResult:
    state: str
    tries: int
    label: str | None


@dataclass(frozen=True)
class Result:
    """How a run ended. ``tasks`` by task id, a mapped one by ``task_id[index]``; ``logs`` is the text of their log files."""

    state: str
    run_type: str
    record: RunRecord
    tasks: dict[str, TaskResult]
    logs: dict[str, str]


@dataclass(frozen=True)
class Case:
    """Runs on one store. Tasks of ``dying`` fail before their first line, as killed ones do."""

    settings: Settings
    requests: tuple[Request, ...]
    dying: tuple[str, ...] = ()


def execute(settings: Settings, *requests: Request) -> list[Result]:
    """Run the DAGs one after the other, on the store of ``settings``."""
    (results,) = execute_cases(settings.airflow_home, Case(settings, requests))
    return results


def execute_cases(home: Path, *cases: Case) -> list[list[Result]]:
    """Run each case's DAGs one after the other, all with one Airflow home: to start Airflow takes longer than a run."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.dags.dag_runs", str(home)],
        input=json.dumps([
            {
                "environment": _environment(case.settings),
                "requests": [asdict(request) for request in case.requests],
                "dying": case.dying,
            }
            for case in cases
        ]),
        cwd=PROJECT_ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return [
        [
            Result(
                state=row["state"],
                run_type=row["run_type"],
                record=RunRecord.model_validate(row["record"]),
                tasks={name: TaskResult(**task) for name, task in row["tasks"].items()},
                logs=row["logs"],
            )
            for row in rows
        ]
        for rows in json.loads(process.stdout.splitlines()[-1])
    ]


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "TITANS_SOURCE": settings.source,
        "TITANS_DATA_DIR": str(settings.data_dir),
        "TITANS_DBT_PROJECT_DIR": str(settings.dbt_project_dir),
        "TITANS_WEBHOOK_URL": settings.webhook_url.get_secret_value() if settings.webhook_url else "",
    }


def _main(home: Path) -> None:
    from titans.airflow_env import prepare_airflow, set_airflow_environment
    from titans.output import quiet_libraries
    from titans.task_logs import keep_task_logs

    log = home / "logs" / "runs.log"
    cases = json.load(sys.stdin)
    with quiet_libraries(log):
        set_airflow_environment(home)
        prepare_airflow(home)
        keep_task_logs(log)
        rows = [_run_case(home, **case) for case in cases]
    print(json.dumps(rows))


def _run_case(
    home: Path, environment: dict[str, str], requests: list[dict[str, Any]], dying: list[str]
) -> list[dict[str, Any]]:
    from airflow.dag_processing.dagbag import BundleDagBag

    os.environ.update(environment)
    folder = PROJECT_ROOT / "dags"
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
    for dag in bag.dags.values():
        for task in dag.tasks:
            if task.task_id in dying:
                task.python_callable = _die
    return [_run(home, bag, Request(**request)) for request in requests]


def _die() -> None:
    raise SystemExit("killed")


def _run(home: Path, bag: Any, request: Request) -> dict[str, Any]:
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.utils.types import DagRunType

    create = SerializedDAG.create_dagrun

    def create_of_type(self: Any, **values: Any) -> Any:
        """``dag.test`` knows manual runs only."""
        return create(self, **{**values, "run_type": DagRunType(request.run_type)})

    moment = datetime.fromisoformat(request.logical_date) if request.logical_date else None
    with patch.object(SerializedDAG, "create_dagrun", create_of_type):
        run = bag.get_dag(request.dag_id).test(logical_date=moment, run_conf=request.conf)
    # Not of ``settings``: a run that may not begin is recorded with the source that the data folder serves.
    store = settings_of_ended_run(request.dag_id, run.run_id).store
    record = store.runs / f"{Run(store, request.dag_id, run.run_id).name}.json"
    folder = home / "logs" / f"dag_id={request.dag_id}" / f"run_id={run.run_id}"
    return {
        "state": str(run.state.value),
        "run_type": run.run_type,
        "record": json.loads(record.read_text()),
        "tasks": {
            f"{task.task_id}[{task.map_index}]" if task.map_index >= 0 else task.task_id: {
                "state": str(task.state),
                "tries": task.try_number,
                "label": task.rendered_map_index,
            }
            for task in run.get_task_instances()
        },
        "logs": {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.log")},
    }


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
