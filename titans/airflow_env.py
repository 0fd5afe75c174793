"""Airflow's environment: set before the first ``import airflow``, the same for ``make run`` and ``make airflow``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from include.errors import Runbook, TitansError
from include.locks import exclusive
from include.raw.lock import WRITER_POOL
from include.settings import PROJECT_ROOT


def set_airflow_environment(home: Path, port: int = 8080) -> None:
    """Point Airflow at the project and its home under the data folder."""
    values = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # SQLite has one writer at a time. Scheduler, API server and DAG processor wait for each other; the default
        # of 5 s is too short.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database_of(home)}?timeout=60",
        # Airflow's log folders are where make tidy looks, whatever the caller's environment says.
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(logs_of(home)),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(logs_of(home) / "dag_processor"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "titans" / "airflow_plugins"),
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__API__HOST": "127.0.0.1",  # the default listens on every interface
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        # dbt leaves its locks to the end of the process. Python's warning would be an error in a good task's log.
        "PYTHONWARNINGS": "ignore:resource_tracker:UserWarning",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH")])),
    }
    os.environ.update(values)
    # Airflow starts itself by the name `airflow`.
    binaries = str(Path(sys.executable).parent)
    if binaries not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([binaries, os.environ["PATH"]])


def prepare_airflow(home: Path) -> None:
    """Make or migrate Airflow's database and the writer's pool. Needs the environment to be set."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)  # Airflow writes the key that signs its tokens into airflow.cfg, for all to read
    from airflow.models.pool import Pool
    from airflow.utils.db import initdb

    initdb()
    Pool.create_or_update_pool(WRITER_POOL, 1, "one writer of the warehouse", include_deferred=False)


@contextmanager
def airflow_database(home: Path) -> Iterator[None]:
    """The block writes to Airflow's database: where it cannot, say so.

    Raises:
        TitansError: the disk is full, the file cannot be written, or it is no database.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        raise TitansError(
            f"Airflow's database {database_of(home)} cannot be written ({error.orig}): "
            "free space or make the folder writable, then run again. What was published is untouched. "
            f"See {Runbook.PUBLISH_FAILED.path}."
        ) from error


def forget_queued_assets(dag_id: str) -> None:
    """Drop the asset events that wait to start ``dag_id``: it has just run on all that they tell of."""
    from airflow.models.asset import AssetDagRunQueue
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(AssetDagRunQueue).where(AssetDagRunQueue.target_dag_id == dag_id))


def airflow_lock(home: Path, holder: str) -> AbstractContextManager[None]:
    """The only right to execute DAG runs on a data folder. A live scheduler would run the tasks of ``make run`` twice.

    Raises:
        TitansError: ``make run`` or ``make airflow`` is running on the folder.
    """
    refusal = (
        f"Airflow is at work on {home.parent}: {{who}}. Wait for it to end, or stop it; "
        "with make airflow running, trigger the DAGs there."
    )
    return exclusive(lock_of(home), holder, refusal)


def lock_of(home: Path) -> Path:
    return home / "titans.lock"


def database_of(home: Path) -> Path:
    return home / "airflow.db"


def logs_of(home: Path) -> Path:
    return home / "logs"
