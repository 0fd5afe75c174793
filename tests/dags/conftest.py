"""The DAG bag, read once as the scheduler reads it, and a way to run DAGs in a process of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from include.settings import PROJECT_ROOT, load_settings
from titans.airflow_env import set_airflow_environment

DAGS_FOLDER = PROJECT_ROOT / "dags"
ReadBag = Callable[[], Any]


@pytest.fixture(scope="session")
def data_dir_of_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder that is set while DAG files are read."""
    return tmp_path_factory.mktemp("bag") / "data"


@pytest.fixture(scope="session")
def read_bag(data_dir_of_bag: Path) -> Iterator[ReadBag]:
    """A function that reads the DAG files anew."""
    before = dict(os.environ)
    os.environ["TITANS_DATA_DIR"] = str(data_dir_of_bag)
    os.environ["AIRFLOW_HOME"] = str(data_dir_of_bag.parent / "airflow")
    set_airflow_environment(load_settings().airflow_home)

    def read() -> Any:
        from airflow.dag_processing.dagbag import BundleDagBag

        return BundleDagBag(dag_folder=DAGS_FOLDER, bundle_path=DAGS_FOLDER, bundle_name="dags-folder")

    yield read
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def bag(read_bag: ReadBag) -> Any:
    return read_bag()
