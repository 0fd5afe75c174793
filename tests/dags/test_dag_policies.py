"""What holds for every DAG: one rule a test, and the DAG that breaks it is named."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.seeds.read import load_reference
from include.settings import PROJECT_ROOT
from tests.dags.conftest import DAGS_FOLDER, ReadBag

INGEST_DAGS = ["ingest_estimates", "ingest_fx", "ingest_prices_hk", "ingest_prices_us"]
ALL_DAGS = ["build_marts", *INGEST_DAGS]
DAG_FILES = ["build_marts.py", "ingest_estimates.py", "ingest_fx.py", "ingest_prices.py"]
WIRING = sorted(path.relative_to(DAGS_FOLDER).as_posix() for path in (DAGS_FOLDER / "wiring").glob("*.py"))
MAX_LINES = 120
HEAVY = ["great_expectations", "dbt", "yfinance", "duckdb", "pandas", "pyarrow", "exchange_calendars"]

of_every_dag = pytest.mark.parametrize("dag_id", ALL_DAGS)
of_every_ingest_dag = pytest.mark.parametrize("dag_id", INGEST_DAGS)


def test_every_file_can_be_read(bag: Any) -> None:
    assert bag.import_errors == {}


def test_the_bag_holds_the_five_dags_of_the_design(bag: Any) -> None:
    assert sorted(bag.dag_ids) == ALL_DAGS


def test_the_dags_come_from_these_files(bag: Any) -> None:
    assert sorted({Path(dag.fileloc).name for dag in bag.dags.values()}) == DAG_FILES


@of_every_dag
@pytest.mark.parametrize(
    ("question", "words"),
    [("what it makes", ["###"]), ("when it is late", ["**Late:**"]), ("what to do when red", ["**When it is red**"])],
)
def test_doc_answers(bag: Any, dag_id: str, question: str, words: list[str]) -> None:
    doc = bag.dags[dag_id].doc_md or ""
    assert all(word in doc for word in words), f"doc_md of {dag_id} does not say {question}"


@of_every_dag
def test_doc_says_when_it_runs(bag: Any, dag_id: str) -> None:
    assert "**When:**" in bag.dags[dag_id].doc_md, f"doc_md of {dag_id} does not say when it runs"


@of_every_dag
def test_one_run_at_a_time(bag: Any, dag_id: str) -> None:
    assert bag.dags[dag_id].max_active_runs == 1, f"{dag_id} may run beside itself"


@of_every_dag
def test_a_failed_run_is_reported(bag: Any, dag_id: str) -> None:
    callback = bag.dags[dag_id].on_failure_callback
    assert callback is not None, f"nobody hears of a failed run of {dag_id}"
    assert callback.__name__ == "report_failure", f"{dag_id} reports by {callback}, whose name says nothing in the log"


@of_every_dag
def test_doc_names_runbooks_that_exist(bag: Any, dag_id: str) -> None:
    named = set(re.findall(r"`(?:docs/runbooks/)?([a-z0-9-]+)\.md`", bag.dags[dag_id].doc_md))
    assert named, f"doc_md of {dag_id} names no runbook"
    assert {name for name in named if not (PROJECT_ROOT / "docs" / "runbooks" / f"{name}.md").exists()} == set()


@of_every_dag
def test_no_catchup(bag: Any, dag_id: str) -> None:
    assert bag.dags[dag_id].catchup is False, f"{dag_id} would run once for every day since its start date"


@of_every_dag
def test_form_has_an_as_of_date(bag: Any, dag_id: str) -> None:
    schema = bag.dags[dag_id].params.get_param("as_of").schema
    assert schema["format"] == "date", f"{dag_id} has no date field as_of"
    assert "null" in schema["type"], f"{dag_id} cannot be triggered without as_of"


@of_every_ingest_dag
def test_form_has_window_and_symbols(bag: Any, dag_id: str) -> None:
    assert sorted(bag.dags[dag_id].params) == ["as_of", "end", "start", "symbols"], (
        f"the form of {dag_id} is not the one of the docs"
    )


@of_every_ingest_dag
def test_form_needs_nothing(bag: Any, dag_id: str) -> None:
    bag.dags[dag_id].params.validate()


@of_every_dag
@pytest.mark.parametrize("value", ["7 March 2025", "2025-13-45", "20250307", 20250307])
def test_form_refuses_what_is_no_date(bag: Any, dag_id: str, value: object) -> None:
    assert not _accepts(bag.dags[dag_id], "as_of", value), f"{dag_id} takes {value!r} for a date"


@of_every_ingest_dag
@pytest.mark.parametrize("name", ["start", "end"])
def test_form_refuses_a_window_of_no_dates(bag: Any, dag_id: str, name: str) -> None:
    assert not _accepts(bag.dags[dag_id], name, "last week"), f"{dag_id} takes 'last week' for {name}"


@of_every_ingest_dag
@pytest.mark.parametrize("value", ["AAPL", [1, 2], {"AAPL": True}])
def test_form_refuses_what_is_no_list_of_symbols(bag: Any, dag_id: str, value: object) -> None:
    assert not _accepts(bag.dags[dag_id], "symbols", value), f"{dag_id} takes {value!r} for a list of symbols"


@of_every_ingest_dag
def test_form_takes_good_values(bag: Any, dag_id: str) -> None:
    for name, value in {
        "as_of": "2025-03-07",
        "start": "2025-03-03",
        "end": "2025-03-07",
        "symbols": ["AAPL", "MSFT"],
    }.items():
        assert _accepts(bag.dags[dag_id], name, value), f"{dag_id} refuses {name}={value!r}"


@of_every_dag
def test_only_fetching_is_tried_again(bag: Any, dag_id: str) -> None:
    retried = [task.task_id for task in bag.dags[dag_id].tasks if task.retries]
    assert retried == (["fetch_batch"] if dag_id in INGEST_DAGS else []), f"{dag_id} retries {retried}"


@of_every_ingest_dag
def test_fetching_backs_off(bag: Any, dag_id: str) -> None:
    task = bag.dags[dag_id].get_task("fetch_batch")
    assert task.retry_exponential_backoff, f"{dag_id} tries again at a steady pace"
    assert task.retry_delay >= timedelta(seconds=10), f"{dag_id} tries again at once"
    assert task.max_retry_delay <= timedelta(hours=1), f"{dag_id} may wait for {task.max_retry_delay}"


def test_build_tasks_queue_for_the_one_writer(bag: Any) -> None:
    pools = {task.task_id: task.pool for task in bag.dags["build_marts"].tasks if task.task_id != "record"}
    assert pools == dict.fromkeys(["load", "check_raw", "transform", "check_marts", "publish"], "duckdb_writer")


@of_every_ingest_dag
def test_ingest_does_not_wait_for_the_writer(bag: Any, dag_id: str) -> None:
    assert {task.pool for task in bag.dags[dag_id].tasks} == {"default_pool"}, (
        f"{dag_id} queues for the warehouse, which it never opens"
    )


def test_build_starts_on_any_asset_of_any_ingest_dag(bag: Any) -> None:
    from airflow.sdk import AssetAny

    emitted = {outlet.uri for dag_id in INGEST_DAGS for task in bag.dags[dag_id].tasks for outlet in task.outlets}
    schedule = bag.dags["build_marts"].timetable.asset_condition
    assert isinstance(schedule, AssetAny), "build_marts waits for all assets"
    assert {asset.uri for asset in schedule.objects} == emitted
    assert len(emitted) == len(INGEST_DAGS), "an ingest DAG emits no asset of its own"


def test_prices_come_after_the_close_in_the_zone_of_the_exchange(bag: Any) -> None:
    for exchange in load_reference(PROJECT_ROOT / "dbt_project" / "seeds").exchanges:
        timetable = bag.dags[f"ingest_prices_{exchange.market}"].timetable
        minute, hour, *_ = timetable.expression.split()
        assert str(timetable.timezone) == exchange.timezone, (
            f"the schedule of {exchange.market} prices is in another zone"
        )
        assert (int(hour), int(minute)) >= (16, 15), (
            f"{exchange.market} prices are fetched at {hour}:{minute}, before the close"
        )


@pytest.mark.parametrize("name", [*DAG_FILES, *WIRING])
def test_file_is_wiring_only(name: str) -> None:
    lines = len((DAGS_FOLDER / name).read_text().splitlines())
    assert lines <= MAX_LINES, f"{name} has {lines} lines: what computes belongs into include/"


@pytest.mark.parametrize("name", [*DAG_FILES, *WIRING])
def test_no_file_reads_the_logical_date_as_text(name: str) -> None:
    text = (DAGS_FOLDER / name).read_text()
    words = {
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    forbidden = {"ds", "ds_nodash", "ts", "execution_date"} & (words | names)
    assert not forbidden, f"{name} reads {forbidden}, which runs started by assets do not have: ask run_as_of()"
    assert "{{ ds" not in text, f"{name} has a template with ds, which runs started by assets do not have"


def test_the_wiring_is_found_and_not_read_as_dags() -> None:
    assert len(WIRING) > 1, "the rules above hold for no file"
    assert (DAGS_FOLDER / ".airflowignore").read_text().split() == ["wiring"]


def test_reading_a_file_is_light_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """In a process of its own, as the DAG processor does for every file, every half minute."""
    data = tmp_path / "data"
    names = [name.removesuffix(".py") for name in DAG_FILES]
    code = (
        f"import json, sys, {', '.join(names)}; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(PROJECT_ROOT), str(DAGS_FOLDER)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "TITANS_DATA_DIR": str(data),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    heavy = json.loads(result.stdout.splitlines()[-1])
    assert heavy == [], f"reading one of {names} imports {heavy}"
    assert not data.exists(), f"reading one of {names} wrote to the data folder"


@of_every_dag
def test_reading_twice_makes_no_new_version(bag: Any, read_bag: ReadBag, dag_id: str) -> None:
    """Airflow makes a new version of a DAG whenever its serialized form changes."""
    from airflow.serialization.serialized_objects import DagSerialization

    first, second = (
        json.dumps(DagSerialization.to_dict(each.dags[dag_id]), sort_keys=True) for each in (bag, read_bag())
    )
    assert first == second, f"{dag_id} looks different each time it is read"


def _accepts(dag: Any, name: str, value: object) -> bool:
    from airflow.sdk.exceptions import ParamValidationError

    try:
        deepcopy(dag.params.get_param(name)).resolve(value)  # resolving keeps the value
    except ParamValidationError:
        return False
    return True
