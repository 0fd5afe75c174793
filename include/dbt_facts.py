"""Facts that live in the dbt project and that Python needs too: variables, keys of the marts, measures."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from include.errors import TitansError

_SET_BY_THE_BUILD = {"source", "known_at"}
_MART_PREFIXES = ("dim_", "fct_")


Cycle = Literal["day", "week", "month"]


class RiskWindow(BaseModel):
    """The returns that volatility takes: their cycle, and how many."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    cycle: Cycle
    returns: PositiveInt


class DbtVars(BaseModel):
    """Limits and periods. dbt_project.yml says what each is for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    max_sessions_missed: PositiveInt
    max_fx_age_days: PositiveInt
    max_base_age_days: PositiveInt
    max_headline_age_days: PositiveInt
    max_estimate_age_days: PositiveInt
    fiscal_year_slack_days: PositiveInt
    dividend_days_early: PositiveInt
    dividend_days_late: PositiveInt
    min_coverage_ratio: float = Field(gt=0, le=1)
    highest_since_sessions: PositiveInt
    near_correction_drawdown: float = Field(gt=0, lt=1)
    correction_drawdown: float = Field(gt=0, lt=1)
    bear_drawdown: float = Field(gt=0, lt=1)
    min_episode_depth: float = Field(gt=0, lt=1)
    risk_windows: dict[str, RiskWindow] = Field(min_length=1)
    benchmark_windows: dict[str, PositiveInt] = Field(min_length=1)
    cycles_per_year: dict[Cycle, PositiveInt] = Field(min_length=1)
    week_shifts: tuple[int, ...] = Field(min_length=1, strict=False)
    min_observations_ratio: float = Field(gt=0, le=1)
    event_sessions_before: PositiveInt
    event_sessions_after: PositiveInt
    periods: tuple[str, ...] = Field(min_length=1, strict=False)
    return_decimals: PositiveInt
    contribution_periods: tuple[str, ...] = Field(min_length=1, strict=False)
    revision_days: tuple[PositiveInt, ...] = Field(min_length=1, strict=False)


def dbt_vars(project_dir: Path) -> DbtVars:
    """The limits and periods of the dbt project in ``project_dir``.

    Raises:
        TitansError: a variable is missing, unknown or malformed.
    """
    path = project_dir / "dbt_project.yml"
    found = _read(path).get("vars")
    if not isinstance(found, dict):
        raise TitansError(f"{path} has no vars: restore it, for example with git checkout.")
    try:
        return DbtVars.model_validate({name: value for name, value in found.items() if name not in _SET_BY_THE_BUILD})
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise TitansError(f"{path}: the variable {name} is wrong ({problem['msg']}). Correct it under vars.") from error


def mart_keys(project_dir: Path) -> dict[str, tuple[str, ...]]:
    """The key columns of each mart by its name with schema (``marts.fct_fx_daily``), from ``meta.key`` of its YAML.

    Raises:
        TitansError: a mart has no key, or a YAML file of the models cannot be read.
    """
    keys = {}
    for path, model in _models(project_dir):
        if not model["name"].startswith(_MART_PREFIXES):
            continue
        key = _meta(model).get("key")
        if not key:
            raise TitansError(f"{path}: {model['name']} has no key: list its columns as config.meta.key.")
        keys[f"marts.{model['name']}"] = tuple(key)
    if not keys:
        raise TitansError(f"{project_dir / 'models'} describes no mart: restore it, for example with git checkout.")
    return dict(sorted(keys.items()))


def written_orders(project_dir: Path) -> dict[str, tuple[str, ...]]:
    """The columns by which the rows of a model are published, by its name: ``meta.written_by`` of its YAML, else its key.

    A model without either has no entry.

    Raises:
        TitansError: a YAML file of the models cannot be read.
    """
    metas = {model["name"]: _meta(model) for _, model in _models(project_dir)}
    orders = {name: meta.get("written_by", meta.get("key")) for name, meta in metas.items()}
    return {name: tuple(order) for name, order in orders.items() if order}


def _models(project_dir: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each model as its YAML describes it, with the path of that file."""
    for path in sorted((project_dir / "models").rglob("*.yml")):
        for model in _read(path).get("models") or []:
            yield path, model


def _meta(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = model.get("config", {}).get("meta", {})
    return found


def claim_measures(project_dir: Path) -> dict[str, dict[str, str]]:
    """The measures that a press claim may speak of, with their units, for each kind of subject.

    Raises:
        TitansError: measures.csv or the variables cannot be read.
    """
    periods = dbt_vars(project_dir).periods
    found: dict[str, dict[str, str]] = {}
    for row in _facts(project_dir, "measures", ("subject_kind", "measure", "unit", "is_claimable")):
        if row["is_claimable"] == "true":
            # A measure of each period stands there once.
            named = dict.fromkeys(row["measure"].replace("{period}", period) for period in periods)
            found.setdefault(row["subject_kind"], {}).update(dict.fromkeys(named, row["unit"]))
    return found


def index_headline_measures(project_dir: Path) -> list[str]:
    """The measures of an index that have a headline, in the order of their templates.

    Raises:
        TitansError: headline_templates.csv cannot be read.
    """
    rows = _facts(project_dir, "headline_templates", ("subject_kind", "measure"))
    return list(dict.fromkeys(row["measure"] for row in rows if row["subject_kind"] == "index"))


def _facts(project_dir: Path, name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    path = project_dir / "facts" / f"{name}.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{column: row[column] for column in columns} for row in csv.DictReader(file)]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise TitansError(f"{path} cannot be read ({error}): restore it, for example with git checkout.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise TitansError(
            f"{path} cannot be read ({error.strerror}): restore it, for example with git checkout."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TitansError(f"{path} is not YAML ({error}): correct it.") from error
    return content if isinstance(content, dict) else {}
