"""dbt's context as far as sqlfluff needs it to render a model: the variables of dbt_project.yml."""

from __future__ import annotations

from pathlib import Path

import yaml

_VARS = yaml.safe_load((Path(__file__).parent.parent / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]


def var(name: str) -> object:
    """The value of a variable, as dbt's function of this name gives it."""
    return _VARS[name]
