"""Which version of a row counts: the rule of ``dbt_project/macros/versions.sql``, for the SQL that Python runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Template

from include.settings import PROJECT_ROOT


@cache
def _macros() -> Any:
    source = PROJECT_ROOT / "dbt_project" / "macros" / "versions.sql"
    return Template(source.read_text(encoding="utf-8")).module


def version_order(row: str = "") -> str:
    """The order of versions as an SQL expression: the greatest version counts. ``row`` is the row's alias."""
    return str(_macros().version_order(row))


def latest_version(keys: Sequence[str], row: str = "") -> str:
    """The clause that keeps, of the rows with the same ``keys``, the version that counts."""
    return str(_macros().latest_version(keys, row))
