"""docs/ENTITIES.md: the tables of marts with their keys and how they join, and those of reports, from what dbt knows of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from include.errors import TitansError
from include.settings import PROJECT_ROOT

ENTITIES_PAGE = PROJECT_ROOT / "docs" / "ENTITIES.md"

_INTRODUCTION = """\
# Entities

The tables of schema `marts`, their keys and how they join. `make docs` writes this page out of the dbt project; do not edit it by hand.

PK is the key of a table, FK a column that names a row of another one. A line ends in a crow's foot where there may be many rows. Every `date` also joins
`dim_dates`, which is drawn without its lines; a `subject`, `subject_id` or `benchmark_id` is a `basket_id` or a `symbol`, and joins either. The columns that hold the
figures are left out: `describe marts.<table>` lists them with their types, and `make docs` with what they mean.
"""


@dataclass(frozen=True)
class Relation:
    """``columns`` of ``child`` name one row of ``parent`` by its key ``parent_key``, in the same order."""

    child: str
    columns: tuple[str, ...]
    parent: str
    parent_key: tuple[str, ...]
    is_optional: bool
    """Whether the columns may be NULL."""
    is_one_to_one: bool


@dataclass(frozen=True)
class Table:
    name: str
    description: str
    key: tuple[str, ...]
    columns: dict[str, dict[str, Any]]
    refers_to: dict[str, list[str]]
    outside: list[str]


_REPORTS = """\
## Schema `reports`

One table a chart or table of a dashboard, made from the marts: draw it as it is, for one `basket_id` at a time. In local
currency without dividends, up to the last day on which the data of every exchange are complete.
"""


def marts_of(manifest: dict[str, Any]) -> dict[str, Table]:
    """The tables of ``marts`` by name.

    Raises:
        TitansError: a table has no ``meta.key``, or one of columns that it lacks.
    """
    return _tables_of(manifest, "marts")


def _tables_of(manifest: dict[str, Any], schema: str) -> dict[str, Table]:
    """The tables of ``schema`` by name.

    Raises:
        TitansError: a table has no ``meta.key``, or one of columns that it lacks.
    """
    tables = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["schema"] == schema:
            meta = node["config"]["meta"]
            table = Table(
                node["name"],
                node["description"],
                tuple(meta.get("key", ())),
                node["columns"],
                meta.get("refers_to", {}),
                meta.get("outside", []),
            )
            if not table.key or not set(table.key) <= set(table.columns):
                raise TitansError(
                    f"{table.name} has meta.key {list(table.key)}: give the columns of its key in its YAML."
                )
            tables[table.name] = table
    return dict(sorted(tables.items()))


def relations_of(tables: dict[str, Table]) -> list[Relation]:
    """How the tables join.

    A column called like the one key column of a dimension, or ending in its name after an underscore, names a row of
    it, unless ``meta.outside`` lists it: its values may be of no row. Names do not show joins between facts: those stand
    in ``meta.refers_to`` as ``{table: [columns]}``.

    Raises:
        TitansError: ``refers_to`` names a table or column that is not there, or not the whole key.
    """
    return sorted(
        [*_by_name(tables), *_declared(tables)],
        key=lambda relation: (relation.parent, relation.child, relation.columns),
    )


def _by_name(tables: dict[str, Table]) -> Iterator[Relation]:
    parents = {
        table.key[0]: table.name for table in tables.values() if table.name.startswith("dim_") and len(table.key) == 1
    }
    parents.pop("date", None)
    for table in tables.values():
        for column in set(table.columns) - set(table.outside):
            for key, parent in parents.items():
                if column.endswith(f"_{key}") or (column == key and parent != table.name):
                    yield _relation(table, (column,), tables[parent])


def _declared(tables: dict[str, Table]) -> Iterator[Relation]:
    for table in tables.values():
        for parent, columns in table.refers_to.items():
            if (
                parent not in tables
                or not set(columns) <= set(table.columns)
                or len(columns) != len(tables[parent].key)
            ):
                key = list(tables[parent].key) if parent in tables else "no such table"
                raise TitansError(
                    f"{table.name} refers_to {parent} by {columns}, whose key is {key}: "
                    f"name columns of {table.name} for all of it."
                )
            yield _relation(table, tuple(columns), tables[parent])


def _relation(child: Table, columns: tuple[str, ...], parent: Table) -> Relation:
    filled = {
        column
        for column, facts in child.columns.items()
        if column in child.key or any(constraint["type"] == "not_null" for constraint in facts["constraints"])
    }
    return Relation(
        child.name, columns, parent.name, parent.key, not set(columns) <= filled, set(columns) == set(child.key)
    )


def entities_page(manifest: dict[str, Any]) -> str:
    """The page as Markdown with a Mermaid diagram, the same for the same project."""
    tables = marts_of(manifest)
    relations = relations_of(tables)
    lines = [_INTRODUCTION, "```mermaid", "erDiagram"]
    for relation in relations:
        one = "|o" if relation.is_optional else "||"
        many = "o|" if relation.is_one_to_one else "o{"
        lines.append(f'    {relation.parent} {one}--{many} {relation.child} : "{", ".join(relation.columns)}"')
    for table in tables.values():
        foreign = {column for relation in relations if relation.child == table.name for column in relation.columns}
        lines.append(f"    {table.name} {{")
        for column in [
            *table.key,
            *(column for column in table.columns if column in foreign and column not in table.key),
        ]:
            marks = [mark for mark, holds in (("PK", column in table.key), ("FK", column in foreign)) if holds]
            lines.append(f"        {table.columns[column]['data_type']} {column} {', '.join(marks)}")
        lines.append("    }")
    lines += ["```", "", *_listed(tables), "", _REPORTS, *_listed(_tables_of(manifest, "reports"))]
    return "\n".join(lines) + "\n"


def _listed(tables: dict[str, Table]) -> list[str]:
    lines = ["| table | key | what it holds |", "|---|---|---|"]
    for table in tables.values():
        key = ", ".join(f"`{column}`" for column in table.key)
        lines.append(f"| `{table.name}` | {key} | {' '.join(table.description.split()).replace('|', '/')} |")
    return lines
