"""Data goes one way through the dbt project, and rows depend on what their model's tag says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.dbt_project import DBT_PROJECT, Node, Project, hold, layer

READS = {
    "staging": set[str](),
    "intermediate": {"staging", "intermediate"},
    "marts": {"staging", "intermediate"},
    "story/steps": {"staging", "intermediate", "marts", "story/steps"},
    "story/marts": {"staging", "intermediate", "marts", "story/steps"},
    "reports": {"marts", "story/marts", "reports"},
    "ops": {"staging", "intermediate"},
}
"""What models of a layer may read. No mart reads a mart."""
DOMAINS = ["fx", "securities", "fundamentals", "estimates", "baskets"]
"""Folders of intermediate. A model reads its own domain and those before it."""

DEPENDS_ON = {
    "by_symbol": {"by_symbol", "dimension"},
    "by_basket": {"by_symbol", "by_basket", "dimension"},
}
"""What models of a tag may read, beside seeds. A model tagged ``whole`` may read all."""
GRAINS = {"by_symbol", "by_basket", "whole"}

NUMBERS = {"0", "1", "1.0", "2", "100"}
"""What SQL may count with: nothing, one, two, and the level at which indices start."""
NUMBERS_WITH_A_REASON = {
    "claim_text": {
        "3": "decimals of a ratio that a percentage with one has",
        "6": "powers of ten in a million",
        "8": "decimals beyond which a verdict does not look",
        "9": "powers of ten in a billion",
        "1e-9": "what a double loses",
        "999.5e6": "from here on a value prints as a billion",
    },
    "drawdown_state": {"12": "digits that a double holds"},
    "drawdowns": {"12": "digits that a double holds"},
    "fct_basket_exposures": {"11": "months before the twelfth"},
    "fct_basket_daily": {"3": "period", "5": "period", "365.25": "days of a year"},
    "fct_drawdown_episodes": {"12": "digits that a double holds"},
    "fct_index_daily": {"14": "powers of two"},
    "headline_text": {
        "1000": "a change below half of a tenth of a percent is flat",
        "5": "where the rest of a name begins",
        "10": "tenths of a percent in a percent",
        "1e-9": "what a double loses",
        "999.5e6": "from here on a value prints as a billion",
        "1e6": "a million",
        "1e9": "a billion",
    },
    "int_basket_volatility": {"365": "days of the year that a risk-free rate is quoted for"},
    "int_dividend_years": {"365": "days of a year"},
    "int_dividends": {"0.99": "what the rates of two days leave of a dividend that is special as a whole"},
    "int_eps_by_fiscal_year": {"365": "days of a year"},
    "int_fiscal_year_ends": {"365.25": "days of a year"},
    "int_twelve_months": {
        "3": "quarters before a quarter",
        "0.5": "half of a year",
        "0.75": "three quarters of a year",
        "365": "days of a year",
    },
    "int_security_multiples": {"0.5": "half of a year"},
    "int_risk_free_daily": {"91": "days of a bill of 13 weeks"},
    "int_risk_free_yields": {
        "7": "days of a week",
        "12": "months of a year",
        "360": "days of a year of discounts",
        "365": "days of a year",
        "365.0": "days of a year",
    },
    "int_security_values": {"365": "days of a year"},
    "int_prices_split_adjusted": {"1e-9": "what a double loses"},
    "restatements": {"1e-6": "what a vendor's float loses"},
}


@pytest.fixture(scope="module")
def project(manifest: Node) -> Project:
    return Project(manifest)


def domain(node: Node) -> str:
    return str(node["original_file_path"]).split("/")[2]


def backward_reads(models: dict[str, Node], parents: dict[str, set[str]]) -> list[str]:
    """Reads against the direction of the layers, or of the domains within intermediate."""
    wrong = [
        f"{name} ({layer(node)}) reads {parent} ({layer(models[parent])})"
        for name, node in models.items()
        for parent in sorted(parents[name])
        if layer(models[parent]) not in READS[layer(node)]
    ]
    wrong += [
        f"{name} ({domain(node)}) reads {parent} ({domain(models[parent])})"
        for name, node in models.items()
        for parent in sorted(parents[name])
        if layer(node) == layer(models[parent]) == "intermediate"
        and DOMAINS.index(domain(node)) < DOMAINS.index(domain(models[parent]))
    ]
    return wrong


def foreign_rows(tags: dict[str, set[str]], parents: dict[str, set[str]], staging: set[str]) -> list[str]:
    """Models whose rows depend on more than their tag says."""
    wrong = [
        f"{name} is tagged {sorted(found)}: tag it with one of {sorted(GRAINS)}"
        for name, found in tags.items()
        if len(found & GRAINS) != 1 or ("dimension" in found and "whole" not in found) or found - GRAINS - {"dimension"}
    ]
    for name, found in tags.items():
        for parent in sorted(parents[name]):
            for tag in found & set(DEPENDS_ON):
                if not tags[parent] & DEPENDS_ON[tag]:
                    wrong.append(f"{name} is {tag} and reads {parent}, which is {sorted(tags[parent])}")
            if "dimension" in found and parent not in staging and "dimension" not in tags[parent]:
                wrong.append(f"{name} is a dimension and reads {parent}: it must not wait for symbols or baskets")
    return wrong


def literals(sql: str) -> set[str]:
    """Numbers in SQL, outside of comments and strings."""
    plain = re.sub(r"--[^\n]*|\{#.*?#\}", " ", sql, flags=re.DOTALL)
    plain = re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"", "''", plain)
    return set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?(?!\w)", plain))


def test_no_model_reads_a_later_layer(project: Project) -> None:
    parents = {name: project.parents(node) for name, node in project.models.items()}
    hold(backward_reads(project.models, parents))


def test_backward_reads_are_seen() -> None:
    paths = {
        "int_fx": "models/intermediate/fx/int_fx.sql",
        "int_basket": "models/intermediate/baskets/int_basket.sql",
        "fct_one": "models/marts/core/fct_one.sql",
        "fct_two": "models/marts/valuation/fct_two.sql",
        "int_story": "models/story/steps/int_story.sql",
        "sheet": "models/reports/sheet.sql",
    }
    models = {name: {"original_file_path": path} for name, path in paths.items()}
    reads = {
        "int_basket": {"int_fx"},
        "fct_one": {"int_basket"},
        "int_story": {"fct_one", "int_fx"},
        "sheet": {"fct_one"},
    }
    nothing: dict[str, set[str]] = {name: set() for name in paths}
    assert backward_reads(models, nothing | reads) == []
    for name, parent in [
        ("int_fx", "int_basket"),
        ("int_basket", "fct_one"),
        ("fct_one", "fct_two"),
        ("fct_two", "int_story"),
        ("fct_two", "sheet"),
        ("sheet", "int_basket"),
        ("sheet", "int_story"),
    ]:
        (broken,) = backward_reads(models, nothing | {name: {parent}})
        assert broken.startswith(f"{name} (")


def test_rows_depend_on_what_the_tag_says(project: Project) -> None:
    tags = {name: set(node["config"]["tags"]) for name, node in project.models.items()}
    parents = {name: project.parents(node) for name, node in project.models.items()}
    hold(foreign_rows(tags, parents, set(project.in_layers("staging"))))
    assert all(any(tag in found for found in tags.values()) for tag in {*GRAINS, "dimension"})


def test_rows_of_others_are_seen() -> None:
    tags = {
        "stg_rows": {"by_symbol"},
        "int_calendar": {"whole", "dimension"},
        "int_symbol": {"by_symbol"},
        "int_basket": {"by_basket"},
        "int_all": {"whole"},
    }
    reads = {
        "stg_rows": set[str](),
        "int_calendar": {"stg_rows"},
        "int_symbol": {"stg_rows", "int_calendar"},
        "int_basket": {"int_symbol", "int_calendar"},
        "int_all": {"int_basket"},
    }
    assert foreign_rows(tags, reads, {"stg_rows"}) == []
    for name, parent in [
        ("int_symbol", "int_basket"),
        ("int_symbol", "int_all"),
        ("int_basket", "int_all"),
        ("int_calendar", "int_symbol"),
    ]:
        (broken,) = foreign_rows(tags, reads | {name: {parent}}, {"stg_rows"})
        assert broken.startswith(f"{name} is ")
    for wrong in (set[str](), {"by_symbol", "whole"}, {"by_symbol", "dimension"}, {"whole", "by_country"}):
        (broken,) = foreign_rows(tags | {"int_new": wrong}, reads | {"int_new": set()}, {"stg_rows"})
        assert broken.startswith("int_new is tagged")


def test_limits_are_variables() -> None:
    files = {path.stem: path for folder in ("models", "macros") for path in (DBT_PROJECT / folder).rglob("*.sql")}
    found = {name: literals(path.read_text(encoding="utf-8")) - NUMBERS for name, path in files.items()}
    allowed = {name: set(numbers) for name, numbers in NUMBERS_WITH_A_REASON.items()}
    hold(
        [
            f"{Path(files[name]).relative_to(DBT_PROJECT)}: make {number} a variable of dbt_project.yml, or give a reason"
            for name, numbers in found.items()
            for number in sorted(numbers - allowed.get(name, set()))
        ]
    )
    hold([f"{name} has no {sorted(gone)} any more" for name in allowed if (gone := allowed[name] - found[name])])


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select * from a where age <= 7", {"7"}),
        ("select 1e-9 * x as y2, coverage >= 0.8 from a -- 5 sessions", {"1e-9", "0.8"}),
        ("select date - {{ 10 }}, '2024-01-01'::date, \"3\" from base_7d {# 4 #}", {"10"}),
    ],
)
def test_a_literal_is_seen(sql: str, found: set[str]) -> None:
    assert literals(sql) == found
