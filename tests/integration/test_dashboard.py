"""The dashboard as code: its files fit each other and the tables that it draws. A browser looks at it in make verify."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.settings import PROJECT_ROOT
from tests.dbt_project import Project

BUNDLE = PROJECT_ROOT / "bi" / "superset" / "bundle"
Document = dict[str, Any]
TYPES = {"VARCHAR", "DATE", "DOUBLE", "BOOLEAN", "INTEGER", "BIGINT"}


def documents(folder: str) -> dict[str, Document]:
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (BUNDLE / folder).rglob("*.yaml")}


CHARTS, DATASETS = documents("charts"), documents("datasets")
DASHBOARD = documents("dashboards")["titans"]
BY_UUID = {dataset["uuid"]: dataset for dataset in DATASETS.values()}


def names_in(chart: Document) -> set[str]:
    """Columns and metrics that a chart asks for."""
    params = chart["params"]
    found = {*params.get("all_columns", []), *params.get("groupby", []), *params.get("metrics", [])}
    found |= {params[name] for name in ("metric", "x_axis", "x_axis_sort") if params.get(name)}
    found |= {condition["subject"] for condition in params["adhoc_filters"]}
    return (
        found
        | {yaml.safe_load(order)[0] for order in params.get("order_by_cols", [])}
        | {*params.get("column_config", {})}
    )


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_a_dataset_has_the_columns_of_its_table(name: str, manifest: dict[str, Any]) -> None:
    """In the order and with the types of the contract; a column with an expression is Superset's own."""
    dataset = DATASETS[name]
    contract = Project(manifest).in_layers("reports")[name]["columns"]
    stored = [column for column in dataset["columns"] if "expression" not in column]
    assert (dataset["schema"], dataset["table_name"]) == ("reports", name)
    assert {column["column_name"]: column["type"].lower() for column in stored} == {
        column: facts["data_type"] for column, facts in contract.items()
    }
    assert {column["type"] for column in dataset["columns"]} <= TYPES
    assert all(column.get("is_dttm", False) is (column["type"] == "DATE") for column in dataset["columns"])
    labels = [column["verbose_name"] for column in dataset["columns"]]
    assert len(set(labels)) == len(labels)


def test_every_report_has_a_dataset_and_every_dataset_a_chart(manifest: dict[str, Any]) -> None:
    assert set(DATASETS) == set(Project(manifest).in_layers("reports"))
    assert {BY_UUID[chart["dataset_uuid"]]["table_name"] for chart in CHARTS.values()} == set(DATASETS)


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_a_chart_asks_for_what_its_dataset_has(name: str) -> None:
    dataset = BY_UUID[CHARTS[name]["dataset_uuid"]]
    has = {column["column_name"] for column in dataset["columns"]} | {
        metric["metric_name"] for metric in dataset["metrics"]
    }
    assert names_in(CHARTS[name])
    assert names_in(CHARTS[name]) - has == set()
    assert CHARTS[name]["viz_type"] == CHARTS[name]["params"]["viz_type"]


def test_every_chart_is_on_the_dashboard_once() -> None:
    holders = [
        item["meta"] for item in DASHBOARD["position"].values() if isinstance(item, dict) and item["type"] == "CHART"
    ]
    assert sorted(holder["uuid"] for holder in holders) == sorted(chart["uuid"] for chart in CHARTS.values())
    names = {chart["uuid"]: chart["slice_name"] for chart in CHARTS.values()}
    assert {holder["uuid"]: holder["sliceName"] for holder in holders} == names
    rows = [item for item in DASHBOARD["position"].values() if isinstance(item, dict) and item["type"] == "ROW"]
    widths = [sum(DASHBOARD["position"][child]["meta"]["width"] for child in row["children"]) for row in rows]
    assert set(widths) == {12}


def test_charts_of_a_basket_are_filtered_by_one() -> None:
    """Else a second basket would add up with the first, and lines would have spikes. Others have a row a basket or claim."""
    (chosen,) = DASHBOARD["metadata"]["native_filter_configuration"]
    assert chosen["targets"][0]["column"]["name"] == "basket_id"
    assert chosen["controlValues"]["enableEmptyFilter"] is True, "a basket must be chosen"
    assert chosen["controlValues"]["multiSelect"] is False
    excluded = set(chosen["scope"]["excluded"])
    holders = [
        item["meta"] for item in DASHBOARD["position"].values() if isinstance(item, dict) and item["type"] == "CHART"
    ]
    names = {chart["uuid"]: name for name, chart in CHARTS.items()}
    free = {names[holder["uuid"]] for holder in holders if holder["chartId"] in excluded}
    assert free == {"all_baskets", "press_check", "index_headlines"}
    for name in set(CHARTS) - free:
        columns = {column["column_name"] for column in BY_UUID[CHARTS[name]["dataset_uuid"]]["columns"]}
        assert "basket_id" in columns, name


def test_the_connection_only_reads() -> None:
    database = documents("databases")["titans"]
    assert database["sqlalchemy_uri"] == "duckdb:///{published_file}?access_mode=READ_ONLY"
    assert [database[name] for name in ("allow_ctas", "allow_cvas", "allow_dml")] == [False, False, False]
    config = database["extra"]["engine_params"]["connect_args"]["config"]
    assert (config["enable_external_access"], config["lock_configuration"]) == ("false", "true")


def test_superset_reads_with_the_duckdb_that_writes() -> None:
    def pin(lock: str, package: str) -> str:
        match = re.search(rf"^{package}==(\S+)", (PROJECT_ROOT / lock).read_text(), re.MULTILINE)
        assert match, f"{lock} has no {package}"
        return match[1]

    assert pin("requirements-superset.txt", "duckdb") == pin("requirements.txt", "duckdb")


def test_no_address_of_others_is_allowed() -> None:
    text = Path(PROJECT_ROOT / "bi" / "superset" / "superset_config.py").read_text(encoding="utf-8")
    policy = text[text.index("content_security_policy") :]
    assert set(re.findall(r'"(?:img|connect|style|font)-src": \[(.*?)\]', policy)) == {
        "\"'self'\", \"blob:\", \"data:\"", "\"'self'\"", "\"'self'\", \"'unsafe-inline'\"", "\"'self'\", \"data:\"",
    }  # fmt: skip
