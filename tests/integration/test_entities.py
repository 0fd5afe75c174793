"""docs/ENTITIES.md: drawn from the project as it is, and true of the rows."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from include.errors import TitansError
from include.settings import PROJECT_ROOT, Settings
from tests.pipeline import ask
from titans.entities import ENTITIES_PAGE, Relation, entities_page, marts_of, relations_of
from titans.seeds_page import SEEDS_PAGE, seeds_page


def test_the_page_is_that_of_the_project(manifest: dict[str, Any]) -> None:
    page = ENTITIES_PAGE.read_text(encoding="utf-8")
    assert page == entities_page(manifest), "docs/ENTITIES.md is old: make docs writes it again"


def test_the_page_of_seeds_explains_every_column(manifest: dict[str, Any]) -> None:
    page = SEEDS_PAGE.read_text(encoding="utf-8")
    assert page == seeds_page(manifest), "docs/SEEDS.md is old: make docs writes it again"
    for path in (PROJECT_ROOT / "dbt_project" / "seeds").glob("*.csv"):
        (section,) = re.findall(rf"^## {path.name}\n(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL)
        explained = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, flags=re.MULTILINE))
        assert list(explained) == path.read_text(encoding="utf-8").splitlines()[0].split(","), path.name


def test_every_published_table_is_drawn_with_its_key(built_sample_store: Settings) -> None:
    page = ENTITIES_PAGE.read_text(encoding="utf-8")
    drawn = {
        table: set(re.findall(r"^        \S+ (\w+)", body, flags=re.MULTILINE))
        for table, body in re.findall(r"^    (\w+) \{\n(.*?)^    \}", page, flags=re.MULTILINE | re.DOTALL)
    }
    published: dict[str, set[str]] = {}
    for table, column in ask(
        built_sample_store, "select table_name, column_name from duckdb_columns() where schema_name = 'marts'"
    ):
        published.setdefault(table, set()).add(column)
    assert set(drawn) == set(published)
    assert {table: columns - published[table] for table, columns in drawn.items() if columns - published[table]} == {}


def test_joins_are_found_by_name_and_by_declaration(manifest: dict[str, Any]) -> None:
    relations = relations_of(marts_of(manifest))
    assert (
        Relation(
            "dim_baskets",
            ("comparator_basket_id",),
            "dim_baskets",
            ("basket_id",),
            is_optional=True,
            is_one_to_one=False,
        )
        in relations
    )
    assert (
        Relation("fct_index_daily", ("symbol",), "dim_securities", ("symbol",), is_optional=False, is_one_to_one=False)
        in relations
    )
    assert (
        Relation(
            "fct_security_valuation_daily",
            ("symbol", "date"),
            "fct_security_daily",
            ("symbol", "date"),
            is_optional=False,
            is_one_to_one=True,
        )
        in relations
    )


@pytest.mark.parametrize("store", ["built_sample_store", "built_real_store"])
def test_every_join_finds_its_row(store: str, manifest: dict[str, Any], request: pytest.FixtureRequest) -> None:
    settings: Settings = request.getfixturevalue(store)
    tables = marts_of(manifest)
    # The page says in words that every date joins dim_dates.
    dates = [
        Relation(table.name, ("date",), "dim_dates", ("date",), is_optional=False, is_one_to_one=False)
        for table in tables.values()
        if "date" in table.columns and table.name != "dim_dates"
    ]
    lost = []
    for relation in [*relations_of(tables), *dates]:
        on = " and ".join(
            f"child.{one} = parent.{two}" for one, two in zip(relation.columns, relation.parent_key, strict=True)
        )
        filled = " and ".join(f"child.{column} is not null" for column in relation.columns)
        ((rows,),) = ask(settings, f"select count(*) from marts.{relation.child} as child anti join marts.{relation.parent} as parent on {on} where {filled}")  # fmt: skip
        ((empty,),) = ask(settings, f"select count(*) from marts.{relation.child} as child where not ({filled})")
        if rows or (empty and not relation.is_optional):
            lost.append(
                f"{relation.child} ({', '.join(relation.columns)}): {rows} rows without one of {relation.parent}, {empty} empty"
            )
    assert lost == []


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"key": ["symbol", "day"]}, "fct_index_daily has meta.key"),
        ({"key": ["symbol", "date"], "refers_to": {"fct_nothing": ["symbol"]}}, "no such table"),
        ({"key": ["symbol", "date"], "refers_to": {"fct_security_daily": ["symbol"]}}, "for all of it"),
        ({"key": ["symbol", "date"], "refers_to": {"fct_security_daily": ["symbol", "day"]}}, "for all of it"),
    ],
)
def test_a_key_or_join_of_columns_that_are_not_there_is_refused(
    manifest: dict[str, Any], meta: dict[str, Any], said: str
) -> None:
    changed = copy.deepcopy(manifest["nodes"])
    changed["model.titans.fct_index_daily"]["config"]["meta"] = meta
    with pytest.raises(TitansError, match="fct_index_daily") as error:
        entities_page({"nodes": changed})
    assert said in str(error.value)
