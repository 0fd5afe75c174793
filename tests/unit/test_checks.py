"""Checks of the gates are files: what a header must say, and what the project's own files say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from include.dbt_facts import mart_keys
from include.errors import TitansError
from include.gates import marts_gate, raw_gate
from include.gates.checks import Check, load_checks
from include.gates.runner import run_checks
from include.settings import PROJECT_ROOT

DBT_PROJECT = PROJECT_ROOT / "dbt_project"
HEADER = "-- severity: warning\n-- table: marts.fct_fx_daily\n-- why: A rate is above zero.\n"
QUERY = "\nselect * from marts.fct_fx_daily where rate <= 0\n"
Load = Callable[..., list[Check]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write files by name into a folder of checks, and load it."""

    def write_and_load(**files: str) -> list[Check]:
        folder = tmp_path / "checks"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.sql").write_text(text, encoding="utf-8")
        return load_checks(folder, DBT_PROJECT)

    return write_and_load


def test_a_new_file_is_a_new_check(load: Load) -> None:
    assert load() == []
    assert load(rates_positive=HEADER + QUERY) == [
        Check(
            name="rates_positive",
            table="marts.fct_fx_daily",
            severity="warning",
            why="A rate is above zero.",
            query="select * from marts.fct_fx_daily where rate <= 0",
        )
    ]
    assert [check.name for check in load(a_check=HEADER + QUERY)] == ["a_check", "rates_positive"]


def test_a_reason_goes_on_in_indented_lines(load: Load) -> None:
    (check,) = load(rates_positive=f"{HEADER}--   Zero is no rate,\n--   nor is less.\n{QUERY}")
    assert check.why == "A rate is above zero. Zero is no rate, nor is less."


def test_a_limit_stands_at_the_top_of_its_file(load: Load) -> None:
    (check,) = load(
        rates_low="{% set limit = 0.02 %}\n-- severity: critical\n-- table: marts.fct_fx_daily\n"
        "-- why: A rate above {{ limit }}.\n\nselect 1 where 1 > {{ limit }}"
    )
    assert (check.why, check.query) == ("A rate above 0.02.", "select 1 where 1 > 0.02")


def test_a_limit_of_dbt_is_read_from_its_project(project_copy: Path) -> None:
    project = project_copy / "dbt_project.yml"
    project.write_text(
        project.read_text(encoding="utf-8").replace("max_fx_age_days: 7", "max_fx_age_days: 9"), encoding="utf-8"
    )
    (present,) = [check for check in raw_gate.checks(project_copy) if check.name == "fx_present"]
    assert present.why.startswith("A rate older than 9 days is not used")
    assert "units.end_date - 9" in present.query


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEADER.replace("-- why: A rate is above zero.\n", "") + QUERY, r"bad\.sql does not say its why: write a line"),
        (HEADER.replace("A rate is above zero.", "") + QUERY, r"bad\.sql does not say its why: write a line"),
        (HEADER.replace("why", "reason") + QUERY, r"reason is no key of a header\. A header has severity, table, why"),
        (HEADER + "-- why: Again.\n" + QUERY, r"why stands twice in its header"),
        (HEADER + "--why: Again.\n" + QUERY, r"'--why: Again\.' is no line of a header"),
        (HEADER.replace("warning", "fatal") + QUERY, r"severity is fatal\. Give critical or warning"),
        (HEADER.replace("marts.fct", "fct") + QUERY, r"table is fct_fx_daily\. Give it with its schema"),
        (HEADER, r"bad\.sql has no query: write one"),
        (QUERY, r"bad\.sql does not say its severity"),
        (HEADER + QUERY + "{{ limit }}", r"bad\.sql is no SQL template \('limit' is undefined\): correct it"),
        (HEADER + QUERY + "{% if %}", r"bad\.sql is no SQL template \(.+\): correct it"),
        (HEADER + QUERY + "{{ var('max_fx_aeg_days') }}", r"dbt_project\.yml has no variable 'max_fx_aeg_days'"),
    ],
)
def test_a_file_that_is_no_check_is_refused(load: Load, text: str, sentence: str) -> None:
    with pytest.raises(TitansError, match=sentence):
        load(bad=text)


def test_two_checks_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "fct_fx_daily_key_unique.sql").write_text(HEADER + QUERY, encoding="utf-8")
    own = Check("fct_fx_daily_key_unique", "marts.fct_fx_daily", "critical", "Twice.", "select 1")
    with pytest.raises(TitansError, match=r"2 checks are called fct_fx_daily_key_unique\. Rename the file"):
        load_checks(tmp_path, DBT_PROJECT, [own])


def test_every_mart_has_a_check_of_its_key() -> None:
    checks = {check.name: check for check in marts_gate.checks(DBT_PROJECT)}
    for table in mart_keys(DBT_PROJECT):
        assert checks[f"{table.removeprefix('marts.')}_key_unique"].table == table


@pytest.mark.parametrize("checks", [raw_gate.checks, marts_gate.checks])
def test_the_checks_of_the_project_are_told_apart_and_sorted(checks: Callable[[Path], list[Check]]) -> None:
    names = [check.name for check in checks(DBT_PROJECT)]
    assert names == sorted(set(names))
    assert len(names) >= 20


def test_a_check_may_hold_any_sql(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Braces, a percent sign, a colon, a comment and an ORDER BY mean to Great Expectations what they mean to DuckDB."""
    warehouse = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema marts; create table marts.t as select 1 as a union all select 2")
    query = (
        "-- {not a name}\n"
        "with rows as (select a, {'a': a}::varchar as text, '100%' as share, '12:30' as time from marts.t)\n"
        "select * from rows where text like '{%' order by a desc"
    )
    (result,) = run_checks("check_marts", warehouse, [Check("any_sql", "marts.t", "warning", "Why not.", query)])
    assert result.message == ""
    assert (result.status, result.failing_rows) == ("warning", 2)
    assert result.examples[0] == {"a": 2, "text": "{'a': 2}", "share": "100%", "time": "12:30"}
    assert capfd.readouterr().out == "", "Great Expectations prints nothing of its own"
