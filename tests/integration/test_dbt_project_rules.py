"""The rules of the dbt project, one rule an assertion, read from dbt's own manifest. Most are those of dbt-project-evaluator, whose hub cannot be reached everywhere."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

import pytest

from include.dbt_facts import dbt_vars
from include.gates import marts_gate
from include.settings import PROJECT_ROOT, Settings
from tests.dbt_project import DBT_PROJECT, PUBLISHED, Node, Project, hold, layer
from tests.pipeline import ask_warehouse

PREFIXES = {
    "staging": ("stg_",),
    "intermediate": ("int_",),
    "marts": ("dim_", "fct_"),
    "story/steps": ("int_",),
    "story/marts": ("fct_",),
}
"""By layer. Those of BARE have none: people type those names."""
BARE = ("reports", "ops")
STEPS = ("intermediate", "story/steps")
MARTS = ("marts", "story/marts")

MAX_LINES = 120
MAX_PARENTS = 8
MAX_CHILDREN = 12
"""Models that read one model: above it, most of the project waits for it and changes with it."""
MAX_CHAINED_VIEWS = 2
"""Views that read views are computed again by each reader."""

WITHOUT_KEY = {
    "stg_rejected_rows": "what is refused may lack its key or have it twice: that is why it is refused",
    "rejected_rows": "the same rows, for people",
}
WITHOUT_VECTORS = {
    "dim_securities": "it says what the seeds say",
    "dim_basket_members": "it says what the seeds say",
    "dim_market_events": "it says what the seeds say",
}
READ_BY_ALL_STAGING = {"current_verdicts": "it decides which rows any staging model may read"}
MARTS_ON_STAGING = {
    ("dim_dates", "stg_exchange_sessions"): "a calendar has no versions to choose from",
    ("fct_headlines", "stg_measures"): "measures have no versions to choose from",
}
AWAITED = {"int_risk_free_daily", "int_risk_free_yields"}
"""Steps that the next mart reads: Sharpe ratios are measured against risk-free rates."""
READ_BY_PYTHON = {
    "calendar_overrides": "the load step lays it over the calendars, and models read the sessions that come of it"
}
CALLED_BY_DBT = {
    "duckdb__load_csv_rows",
    "generate_schema_name",
    "materialization_table_duckdb",
    "materialization_view_duckdb",
}


@pytest.fixture(scope="module")
def project(manifest: Node) -> Project:
    return Project(manifest)


def test_the_manifest_is_that_of_the_whole_project(project: Project) -> None:
    assert set(project.models) == {path.stem for path in (DBT_PROJECT / "models").rglob("*.sql")}
    assert set(project.seeds) == {
        path.stem for name in ("seeds", "facts") for path in (DBT_PROJECT / name).glob("*.csv")
    }
    assert all(project.in_layers(name) for name in (*PREFIXES, *BARE))
    assert len(project.sources) > 5
    assert len(project.macros) > 5


def test_every_model_is_described(project: Project) -> None:
    bare = [
        f"{name}: give it a description, with its grain, in its YAML"
        for name, node in project.models.items()
        if not node["description"].strip()
    ]
    hold(bare)


def test_descriptions_of_steps_tell_their_grain(project: Project) -> None:
    silent = [
        f"{name}: end its description with 'one row a ...'"
        for name, node in project.in_layers("staging", *STEPS).items()
        if "one row a" not in node["description"]
    ]
    hold(silent)


def test_rows_are_written_by_all_columns_of_their_key(project: Project) -> None:
    """Else the order of two rows could change from one generation to the next."""
    metas = {name: node["config"]["meta"] for name, node in project.models.items()}
    other = [
        f"{name}: written_by and key must have the same columns"
        for name, meta in metas.items()
        if set(meta.get("written_by", meta.get("key", []))) != set(meta.get("key", []))
    ]
    hold(other)


def test_every_model_has_a_key_that_is_tested(project: Project) -> None:
    """The key is ``meta.key``. Gate 2 tests that of a mart on every build, unique_key that of any other model."""
    tested = {
        parent
        for test in project.tests
        if test["test_metadata"]["name"] == "unique_key"
        for parent in project.parents(test)
    }
    gated = {
        check.table: check.severity for check in marts_gate.checks(DBT_PROJECT) if check.name.endswith("_key_unique")
    }
    assert tested, "no unique_key test at all: the manifest was read wrongly"
    wrong = [
        f"{name}: give it config.meta.key"
        for name, node in project.models.items()
        if not node["config"]["meta"].get("key") and name not in WITHOUT_KEY
    ]
    wrong += [
        f"{name}: give it data_tests: [unique_key]"
        for name in project.models
        if name not in {*tested, *WITHOUT_KEY, *project.in_layers(*MARTS)}
    ]
    wrong += [
        f"{name}: gate 2 must refuse two rows of one key"
        for name in project.in_layers(*MARTS)
        if gated.get(f"marts.{name}") != "critical"
    ]
    wrong += [f"{name}: gate 2 tests its key, drop unique_key" for name in tested & set(project.in_layers(*MARTS))]
    hold(wrong)


def test_key_columns_are_columns_of_their_table(project: Project) -> None:
    wrong = [
        f"{name}: its key has {column}, which its columns lack"
        for name, node in project.in_layers(*PUBLISHED).items()
        for column in node["config"]["meta"].get("key", [])
        if column not in node["columns"]
    ]
    hold(wrong)


def test_every_mart_has_vectors_made_by_hand(project: Project) -> None:
    """A unit test of its own, or one of a step that it reads; the second way to prove a mart are the tests that compute it again in Python."""
    hold(
        [
            f"{name} has no unit test, and no step that it reads has one"
            for name, node in project.in_layers(*MARTS).items()
            if name not in WITHOUT_VECTORS and not project.unit_tested & {name, *project.parents(node)}
        ]
    )
    hold([f"{name} has a unit test: take it off the list" for name in WITHOUT_VECTORS if name in project.unit_tested])


def test_contracts_are_enforced_on_all_that_is_published(project: Project) -> None:
    loose = [
        f"{name}: enforce its contract"
        for name, node in project.in_layers(*PUBLISHED).items()
        if not node["config"]["contract"]["enforced"]
    ]
    hold(loose)


def test_every_published_column_is_described_by_one_doc_block(project: Project) -> None:
    """The block is named like the column or, where the same name means two things, has the column's name in its own (value_of_headline)."""
    wrong = [
        f"{table}.{column}: describe it as {{{{ doc('{column}') }}}} and nothing beside it, with a block in docs/columns.md"
        for table, column, facts in project.columns(*PUBLISHED)
        if not (
            len(facts["doc_blocks"]) == 1
            and column in facts["doc_blocks"][0]
            and facts["description"].strip() == project.docs[facts["doc_blocks"][0].split(".")[-1]].strip()
        )
    ]
    hold(wrong)


NAME_OF = {"basket_id": "basket_name", "symbol": "security_name", "event_id": "event_name"}


def test_the_same_thing_has_the_same_name_everywhere(project: Project) -> None:
    """Names stand beside ids, and no column is called name, which says of nothing whose."""
    columns = {name: set(node["columns"]) for name, node in project.in_layers(*MARTS).items()}
    assert len(columns) > 20, "no marts: the manifest was read wrongly"
    hold(
        [
            f"{table} has {key} without {name}"
            for table, found in columns.items()
            for key, name in NAME_OF.items()
            if key in found and name not in found
        ]
        + [
            f"{table}.name: call it basket_name, security_name or event_name"
            for table, found in columns.items()
            if "name" in found
        ]
    )


def test_each_doc_block_says_something_of_its_own_and_is_used(project: Project) -> None:
    used = {block.split(".")[-1] for _, _, facts in project.columns(*PREFIXES, *BARE) for block in facts["doc_blocks"]}
    used |= {
        block.split(".")[-1]
        for seed in project.seeds.values()
        for facts in seed["columns"].values()
        for block in facts["doc_blocks"]
    }
    unused = [
        f"{name}: no column refers to it, remove it from docs/columns.md" for name in sorted(set(project.docs) - used)
    ]
    by_text = defaultdict(list)
    for name, text in project.docs.items():
        by_text[text].append(name)
    twins = [f"{' and '.join(names)} say the same: {text}" for text, names in by_text.items() if len(names) > 1]
    empty = [f"{name}: its block is empty" for name, text in project.docs.items() if not text.strip()]
    hold(unused + twins + empty)


def test_a_name_of_two_meanings_has_no_block_of_its_own(project: Project) -> None:
    """Else ``verdict`` and ``verdict_of_claim`` stand side by side, and the first reads as if it were general."""
    blocks: dict[str, set[str]] = defaultdict(set)
    for _, column, facts in project.columns(*PUBLISHED):
        blocks[column] |= {block.split(".")[-1] for block in facts["doc_blocks"]}
    mixed = [
        f"{column}: described by {' and '.join(sorted(names))}; name each of them after its thing, or use one"
        for column, names in blocks.items()
        if len(names) > 1 and column in names
    ]
    hold(mixed)


def test_every_seed_and_its_columns_are_described(project: Project) -> None:
    bare = [
        f"seed {name}: give it a description in the YAML of its folder"
        for name, seed in project.seeds.items()
        if not seed["description"].strip()
    ]
    for name, seed in project.seeds.items():
        with (DBT_PROJECT / seed["original_file_path"]).open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file))
        described = [column for column, facts in seed["columns"].items() if facts["description"].strip()]
        bare += [
            f"seed {name}: describe its column {column} in the YAML of its folder"
            for column in header
            if column not in described
        ]
        bare += [
            f"seed {name}: the YAML of its folder describes {column}, which the file lacks"
            for column in described
            if column not in header
        ]
    hold(bare)


def test_headline_templates_name_measures_and_placeholders_that_exist(project: Project) -> None:
    def rows(name: str) -> list[dict[str, str]]:
        with (DBT_PROJECT / "facts" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    filled = set(re.findall(r'^        "(\w+)": ', project.macros["filled_parts"]["macro_sql"], re.MULTILINE))
    assert {"subject", "percent", "date"} <= filled, "the macro was read wrongly"
    periods = dbt_vars(DBT_PROJECT).periods
    measured = {
        (row["subject_kind"], row["measure"].replace("{period}", period))
        for row in rows("measures")
        for period in periods
    }
    wrong, seen = [], set()
    for row in rows("headline_templates"):
        key = (row["subject_kind"], row["measure"], row["outcome"])
        name = " ".join(key)
        wrong += [f"{name}: there are two templates"] if key in seen else []
        wrong += [f"{name}: measures.csv has no such measure"] if key[:2] not in measured else []
        wrong += [
            f"{name}: the macro filled_parts does not fill {{{placeholder}}}"
            for placeholder in re.findall(r"\{(.*?)\}", row["value_text"] + row["sentence"])
            if placeholder not in filled
        ]
        seen.add(key)
    assert seen
    hold(wrong)


def test_every_source_and_its_columns_are_described(project: Project, built_sample_store: Settings) -> None:
    stored = defaultdict(list)
    for table, column in ask_warehouse(
        built_sample_store, "select table_name, column_name from duckdb_columns() where schema_name = 'raw'"
    ):
        stored[table].append(column)
    bare = [
        f"raw.{name}: give it a description in models/staging/_sources.yml"
        for name, node in project.sources.items()
        if not node["description"].strip()
    ]
    for name, node in project.sources.items():
        described = {column for column, facts in node["columns"].items() if facts["description"].strip()}
        bare += [
            f"raw.{name}: describe its column {column} in models/staging/_sources.yml"
            for column in stored[name]
            if column not in described
        ]
        bare += [
            f"raw.{name}: _sources.yml describes {column}, which the table lacks"
            for column in described
            if column not in stored[name]
        ]
    hold(bare)


def test_names_tell_the_layer(project: Project) -> None:
    wrong = [
        f"{node['original_file_path']}: a model of {layer(node)} is called {' or '.join(PREFIXES[layer(node)])}..."
        for node in project.models.values()
        if layer(node) in PREFIXES and not node["name"].startswith(PREFIXES[layer(node)])
    ]
    prefixes = tuple(prefix for names in PREFIXES.values() for prefix in names)
    wrong += [
        f"{node['original_file_path']}: names in {layer(node)} have no prefix"
        for name, node in project.in_layers(*BARE).items()
        if name.startswith(prefixes)
    ]
    hold(wrong)
    assert {layer(node) for node in project.models.values()} == {*PREFIXES, *BARE}


def test_staging_reads_nothing_but_sources_and_seeds(project: Project) -> None:
    wrong = [
        f"{name} reads {', '.join(sorted(project.parents(node))) or 'no source'}: staging reads a source, or a seed where users give the rows"
        for name, node in project.in_layers("staging").items()
        if project.parents(node) or not project.parents(node, "source") | project.parents(node, "seed")
    ]
    hold(wrong)


def test_only_staging_reads_sources(project: Project) -> None:
    wrong = [
        f"{name} reads raw.{', raw.'.join(sorted(project.parents(node, 'source')))}: read the staging model of it"
        for name, node in project.models.items()
        if layer(node) != "staging" and project.parents(node, "source")
    ]
    hold(wrong)


def test_each_source_has_one_staging_model(project: Project) -> None:
    readers = {name: project.children(name, "source") for name in project.sources}
    elsewhere = {model for name, models in readers.items() if name not in READ_BY_ALL_STAGING for model in models}
    wrong = [
        f"raw.{name} is read by {', '.join(sorted(models)) or 'no staging model'}: one staging model for each source table"
        for name, found in readers.items()
        if len(models := found - elsewhere if name in READ_BY_ALL_STAGING else found) != 1
    ]
    hold(wrong)


def test_marts_stand_on_steps_and_not_on_staging(project: Project) -> None:
    """Staging holds every version of a row. ops may read it, since those versions are what it tells of."""
    found = {
        (name, parent)
        for name, node in project.in_layers(*MARTS).items()
        for parent in project.parents(node)
        if layer(project.models[parent]) in ("staging", "ops")
    }
    wrong = [
        f"{mart} reads {parent}: read an intermediate model that has chosen among its versions"
        for mart, parent in found - set(MARTS_ON_STAGING)
    ]
    stale = [f"{pair} is no longer so: take it out of MARTS_ON_STAGING" for pair in set(MARTS_ON_STAGING) - found]
    hold(wrong + stale)


def test_nothing_but_ops_reads_ops(project: Project) -> None:
    wrong = [
        f"{name} reads {parent}: make what they share an intermediate model"
        for name, node in project.models.items()
        for parent in project.parents(node)
        if layer(project.models[parent]) == "ops"
    ]
    hold(wrong)


def test_every_model_has_a_parent(project: Project) -> None:
    roots = [
        f"{name} reads nothing: a table of values is a seed"
        for name, node in project.models.items()
        if not node["depends_on"]["nodes"]
    ]
    hold(roots)


def test_every_step_leads_to_something_published(project: Project) -> None:
    useful = set(project.in_layers(*PUBLISHED))
    while more := {parent for name in useful for parent in project.parents(project.models[name])} - useful:
        useful |= more
    dead = [
        f"{name}: no mart and no table of ops comes of it, remove it"
        for name in sorted(set(project.models) - useful - AWAITED)
    ]
    dead += [f"{name} is read now: take it out of AWAITED" for name in sorted(AWAITED & useful)]
    hold(dead)


def test_every_seed_and_macro_is_used(project: Project) -> None:
    users: list[Node] = [*project.models.values(), *project.tests, *project.macros.values()]
    called = {macro.split(".")[-1] for node in users for macro in node["depends_on"]["macros"]}
    unused = [
        f"seed {name}: no model reads it"
        for name in project.seeds
        if not project.children(name, "seed") and name not in READ_BY_PYTHON
    ]
    unused += [f"macro {name}: nothing calls it" for name in project.macros if name not in called | CALLED_BY_DBT]
    hold(unused)


def test_no_model_has_too_many_readers_or_parents(project: Project) -> None:
    wide = [
        f"{name} is read by {len(children)} models, more than {MAX_CHILDREN}: give some of them a step in common"
        for name in project.models
        if len(children := project.children(name)) > MAX_CHILDREN
    ]
    wide += [
        f"{name} reads {count} tables, more than {MAX_PARENTS}: split it"
        for name, node in project.models.items()
        if (count := len(node["depends_on"]["nodes"])) > MAX_PARENTS
    ]
    hold(wide)


def test_views_stand_on_few_views(project: Project) -> None:
    def depth(name: str) -> int:
        node = project.models[name]
        if node["config"]["materialized"] != "view":
            return 0
        return 1 + max((depth(parent) for parent in project.parents(node)), default=0)

    depths = {name: depth(name) for name in project.models}
    assert max(depths.values()) > 0, "no view at all: the manifest was read wrongly"
    long = [
        f"{name} is a view on {found - 1} views: make it, or one of them, a table"
        for name, found in depths.items()
        if found > MAX_CHAINED_VIEWS
    ]
    hold(long)


def test_models_are_short(project: Project) -> None:
    long = [
        f"{path.relative_to(DBT_PROJECT)} has {lines} lines, more than {MAX_LINES}: split it"
        for path in (DBT_PROJECT / "models").rglob("*.sql")
        if (lines := len(path.read_text().splitlines())) > MAX_LINES
    ]
    hold(long)


def test_steps_open_with_a_comment(project: Project) -> None:
    jinja_before = re.compile(r"\A(?:\s*\{[%{].*?[%}]\}\s*)+", flags=re.DOTALL)
    silent = [
        f"{name}: begin it with a comment that says what it makes"
        for name, node in project.in_layers(*STEPS).items()
        if not jinja_before.sub("", node["raw_code"]).startswith("--")
    ]
    hold(silent)


def hard_coded_relations(sql: str) -> list[str]:
    """Names after FROM or JOIN that are neither a ref or source nor a CTE or alias of the same text."""
    plain = re.sub(r"--[^\n]*|/\*.*?\*/|\{#.*?#\}|\{%.*?%\}", " ", sql, flags=re.DOTALL)
    plain = re.sub(r"\{\{.*?\}\}", " __jinja__ ", plain, flags=re.DOTALL)
    plain = re.sub(r"'(?:[^']|'')*'", "''", plain)
    plain = re.sub(r"\bdistinct\s+from\b", " ", plain, flags=re.IGNORECASE)
    ctes = set(re.findall(r"(?:\bwith|,)\s+(\w+)\s+as\s*\(", plain, flags=re.IGNORECASE))
    named = re.findall(r"\b(?:from|join)\s+([\w.\"]+)(?!\s*\()\b", plain, flags=re.IGNORECASE)
    return [name for name in named if name not in ctes | {"__jinja__"}]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select * from marts.dim_dates", ["marts.dim_dates"]),
        ("with a as (select 1 as x) select * from a inner join stg_prices on true", ["stg_prices"]),
        ('select * from {{ ref("a") }} left join raw.prices as p on true', ["raw.prices"]),
        ("with a as (select 1), b as (select * from a) select * from b where x is distinct from y", []),
        ('select * from {{ source("raw", "prices") }} -- from nowhere', []),
    ],
)
def test_a_hard_coded_relation_is_seen(sql: str, found: list[str]) -> None:
    assert hard_coded_relations(sql) == found


def test_relations_are_refs_and_sources(project: Project) -> None:
    texts = {name: node["raw_code"] for name, node in project.models.items()}
    texts |= {f"macro {name}": node["macro_sql"] for name, node in project.macros.items()}
    hard = [
        f"{name} names {', '.join(found)}: write ref() or source(), so that dbt knows the order"
        for name, sql in texts.items()
        if (found := hard_coded_relations(sql))
    ]
    hold(hard)


def test_somebody_reads_every_published_table(project: Project) -> None:
    read = {parent for exposure in project.exposures.values() for parent in project.parents(exposure)}
    unread = [
        f"{name}: add ref('{name}') to the exposures of models/exposures.yml that read it"
        for name in project.in_layers(*PUBLISHED)
        if name not in read
    ]
    hold(unread)


def test_exposures_have_owners_and_read_what_is_published(project: Project) -> None:
    assert project.exposures
    published = project.in_layers(*PUBLISHED)
    wrong = [
        f"exposure {name}: say who owns it"
        for name, exposure in project.exposures.items()
        if not exposure["owner"].get("name")
    ]
    wrong += [
        f"exposure {name}: describe it"
        for name, exposure in project.exposures.items()
        if not exposure["description"].strip()
    ]
    wrong += [
        f"exposure {name} reads {parent}, which is not published"
        for name, exposure in project.exposures.items()
        for parent in project.parents(exposure)
        if parent not in published
    ]
    missing = set(project.in_layers(*MARTS)) - project.parents(project.exposures["bi_tools"])
    wrong += [f"exposure bi_tools: add ref('{name}'), since a BI tool sees every mart" for name in sorted(missing)]
    hold(wrong)


def test_the_exposure_of_analysts_reads_what_their_queries_read(project: Project) -> None:
    page = (PROJECT_ROOT / "docs" / "QUERIES.md").read_text(encoding="utf-8")
    asked = {table for table in re.findall(r"\b(?:marts|ops)\.(\w+)", page) if table in project.in_layers(*PUBLISHED)}
    told = project.parents(project.exposures["analyst_queries"])
    wrong = [f"exposure analyst_queries: add ref('{name}'), docs/QUERIES.md reads it" for name in sorted(asked - told)]
    wrong += [
        f"exposure analyst_queries: remove ref('{name}'), docs/QUERIES.md does not read it"
        for name in sorted(told - asked)
    ]
    hold(wrong)


def test_each_model_has_a_yaml_of_its_name_beside_it(project: Project) -> None:
    apart = [
        f"{node['original_file_path']}: describe it in {expected}, not in {patched}"
        for node in project.models.values()
        if (patched := str(node["patch_path"]).split("://")[-1])
        != (expected := str(Path(node["original_file_path"]).with_suffix(".yml")))
    ]
    known = {DBT_PROJECT / "models" / "exposures.yml", DBT_PROJECT / "models" / "staging" / "_sources.yml"}
    apart += [
        f"{path.relative_to(DBT_PROJECT)}: no model has this name"
        for path in (DBT_PROJECT / "models").rglob("*.yml")
        if path not in known and not path.with_suffix(".sql").exists()
    ]
    hold(apart)
