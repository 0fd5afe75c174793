"""The parsed dbt project is kept between builds, and every edit is seen all the same."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from pydantic import ByteSize

from include import transform
from include.errors import Runbook, TitansError
from include.progress import watched
from include.settings import PROJECT_ROOT, Settings, load_settings
from include.transform import dbt_build
from tests.pipeline import ask_warehouse

PROJECT = {
    "dbt_project.yml": "{name: small, version: '1.0', profile: titans, seeds: {schema: seeds, full_refresh: true}}\n",
    "macros/generate_schema_name.sql": "{% macro generate_schema_name(name, node) %}{{ name or 'main' }}{% endmacro %}\n",
    "models/schema.yml": "models: [{name: answers}]\n",
    "models/answers.sql": "select 41 as answer\n",
    "seeds/events.csv": "event,day\nfirst,2024-12-30\n",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small project, the store of its first build and the parsed project. Shared: change nothing in it."""
    folder = tmp_path_factory.mktemp("small_project")
    for name, text in PROJECT.items():
        path = folder / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy(PROJECT_ROOT / "dbt_project" / "profiles.yml", folder / "project")
    (folder / "data" / "sample").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transform, "manifest_cache", lambda _: folder / "parsed")
        build_all(settings_in(folder))
    return folder


@pytest.fixture
def settings(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of what was built, whose cache the test sees."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(transform, "manifest_cache", lambda _: tmp_path / "parsed")
    return settings_in(tmp_path)


@pytest.fixture
def cached(settings: Settings) -> Path:
    (file,) = transform.manifest_cache(settings).iterdir()
    return file


def settings_in(folder: Path) -> Settings:
    return load_settings(data_dir=str(folder / "data"), dbt_project_dir=str(folder / "project"))


def build_all(settings: Settings) -> tuple[list[Any], list[Any]]:
    """Build the project; returns the rows of its seed and of its model."""
    dbt_build(settings)
    return ask_warehouse(settings, "from seeds.events order by all"), ask_warehouse(settings, "from main.answers")


FIRST = ("first", date(2024, 12, 30))


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that dbt runs without a manifest, one entry each."""
    invoke, seen = transform._invoke, []

    def listen(settings: Settings, command: list[str], manifest: Any, *listener: Any) -> Any:
        if manifest is None:
            seen.append(command[0])
        return invoke(settings, command, manifest, *listener)

    monkeypatch.setattr(transform, "_invoke", listen)
    return seen


def test_a_build_says_which_model_of_how_many_it_is_at(settings: Settings) -> None:
    (settings.dbt_project_dir / "models" / "doubled.sql").write_text(
        "select 2 * answer as twice from {{ ref('answers') }}"
    )
    heard: list[str] = []
    with watched(heard.append):
        dbt_build(settings)
    assert heard == ["model 1 of 2, answers", "model 2 of 2, doubled"]
    dbt_build(settings)
    assert len(heard) == 2


def test_a_second_build_parses_nothing(settings: Settings, parses: list[str]) -> None:
    other = settings.model_copy(update={"known_at": date(2024, 12, 31), "source": "files"})
    other.store.warehouse.parent.mkdir(parents=True)
    assert build_all(settings) == build_all(other) == ([FIRST], [(41,)])
    assert parses == []


def test_an_edited_seed_is_built_without_parsing(settings: Settings, parses: list[str]) -> None:
    with (settings.seeds_dir / "events.csv").open("a") as seed:
        seed.write("second,2024-12-31\n")
    assert build_all(settings) == ([FIRST, ("second", date(2024, 12, 31))], [(41,)])
    assert parses == []


def test_a_seed_of_other_columns_is_built_without_parsing(settings: Settings, parses: list[str]) -> None:
    (settings.seeds_dir / "events.csv").write_text("event,number\nfirst,7\n")
    assert build_all(settings) == ([("first", 7)], [(41,)])
    assert parses == []


def test_an_edited_model_is_parsed_and_built(settings: Settings, parses: list[str]) -> None:
    (settings.dbt_project_dir / "models" / "answers.sql").write_text("select 42 as answer\n")
    assert build_all(settings) == ([FIRST], [(42,)])
    assert parses == ["parse"]


@pytest.mark.parametrize(
    "edited", ["models/answers.sql", "models/schema.yml", "macros/more.sql", "seeds/more.csv", "seeds/_seeds.yml"]
)
def test_every_edited_or_new_file_asks_for_a_parse(settings: Settings, edited: str) -> None:
    before = transform._parse_key(settings.dbt_project_dir)
    (settings.dbt_project_dir / edited).write_text("# edited")
    assert transform._parse_key(settings.dbt_project_dir) != before


def test_a_project_elsewhere_shares_the_parse_and_reads_its_own_seeds(
    settings: Settings, parses: list[str], tmp_path: Path
) -> None:
    moved = settings.model_copy(update={"dbt_project_dir": tmp_path / "moved"})
    shutil.copytree(settings.dbt_project_dir, moved.dbt_project_dir)
    (moved.seeds_dir / "events.csv").write_text("event,day\nmoved,2024-12-31\n")
    assert build_all(moved)[0] == [("moved", date(2024, 12, 31))]
    assert build_all(settings)[0] == [FIRST]
    assert parses == []


@pytest.mark.parametrize("left", [b"", b"no manifest", b"half of it"])
def test_a_damaged_cache_is_replaced(settings: Settings, cached: Path, parses: list[str], left: bytes) -> None:
    whole = cached.read_bytes()
    cached.write_bytes(whole[: len(whole) // 2] if left == b"half of it" else left)
    build_all(settings)
    assert parses == ["parse"]
    assert len(cached.read_bytes()) == pytest.approx(len(whole), rel=0.01)


def test_three_versions_of_the_project_stay(cached: Path) -> None:
    for number in range(4):
        transform._keep(cached.with_name(f"{number}.msgpack"), b"parsed")
        os.utime(cached.with_name(f"{number}.msgpack"), (number, number))
    transform._keep(cached.with_name("5.msgpack"), b"parsed")
    assert {path.name for path in cached.parent.iterdir()} == {cached.name, "3.msgpack", "5.msgpack"}


def test_a_cache_that_cannot_be_written_stops_nothing(settings: Settings, cached: Path) -> None:
    cached.unlink()
    cached.parent.rmdir()
    cached.parent.write_text("a file where the folder should be")
    assert build_all(settings) == ([FIRST], [(41,)])


def test_nothing_is_written_into_the_project(settings: Settings) -> None:
    """It may be read-only, as in a container."""
    build_all(settings)
    written = {str(path.relative_to(settings.dbt_project_dir)) for path in settings.dbt_project_dir.rglob("*.*")}
    assert written == {*PROJECT, "profiles.yml"}


def test_a_project_that_does_not_parse_is_named(settings: Settings) -> None:
    (settings.dbt_project_dir / "models" / "broken.sql").write_text("select * from {{ ref('nothing') }}")
    with pytest.raises(TitansError, match=r"dbt could not run: .*broken"):
        build_all(settings)


def test_out_of_memory_in_a_model(settings: Settings) -> None:
    """It is named with what to set, the store stays, and one that needs less is built."""
    model = settings.dbt_project_dir / "models" / "answers.sql"
    hungry = "select list(number) as answer from range(100000000) as numbers (number)\n"
    model.write_text("{{ config(materialized='table') }} " + hungry)
    tight = settings.model_copy(update={"memory_limit": ByteSize(128 * 2**20)})
    with pytest.raises(TitansError, match=r"^Model answers ran out of memory: set TITANS_MEMORY_LIMIT above") as caught:
        build_all(tight)
    assert caught.value.runbook is Runbook.OUT_OF_MEMORY
    model.write_text(PROJECT["models/answers.sql"])
    assert build_all(tight) == ([FIRST], [(41,)])
    assert not settings.store.spill.exists()


def _parse(settings: Settings, folder: Path) -> int:
    with patch.object(transform, "manifest_cache", lambda _: folder):
        return len(transform.parsed_project(settings).nodes)


def test_two_processes_parse_at_once(settings: Settings, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        one, two = pool.map(_parse, [settings] * 2, [tmp_path / "shared"] * 2)
    assert one == two == 2
    assert [path.suffix for path in (tmp_path / "shared").iterdir()] == [".msgpack"]


def test_no_node_depends_on_the_variables_of_a_build(tmp_path: Path) -> None:
    """What makes the cache right: source and known_at are read when SQL is compiled, and steer nothing before."""
    settings = load_settings(data_dir=str(tmp_path))
    other = settings.model_copy(update={"source": "files", "known_at": date(2024, 12, 31)})

    def what_steers(manifest: Any) -> dict[str, Any]:
        return {name: (node.depends_on_nodes, node.config.to_dict()) for name, node in manifest.nodes.items()}

    cached = what_steers(transform.parsed_project(settings))
    assert len(cached) > 100
    assert what_steers(transform._invoke(other, ["parse"], None)) == cached
