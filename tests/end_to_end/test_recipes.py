"""The recipes of docs/CONNECT.md, each run as it stands, in the environment of its tools."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from include.settings import PROJECT_ROOT, Settings
from tests.pipeline import ask

ENVIRONMENT = Path(sys.prefix) / "recipes"
pytestmark = pytest.mark.skipif(
    not (ENVIRONMENT / "bin" / "duckdb").exists(),
    reason=f"the tools of the recipes are not installed in {ENVIRONMENT}: they need a package index",
)
PAGE = (PROJECT_ROOT / "docs" / "CONNECT.md").read_text(encoding="utf-8")
(_RUN,) = re.findall(r"^## Recipes that a test runs\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
RECIPES = dict(re.findall(r"^### ([^\n]+)\n.*?```(?:python|sh)\n(.*?)```", _RUN, re.MULTILINE | re.DOTALL))
OF_THE_PROJECT = {"SQLAlchemy 2.1"}
"""Recipes for the environment that Titans itself runs in."""

FIGURES = {
    "factsheet": "select return_ytd from reports.factsheet",
    "rebased_levels": "select arg_max(line_level, (date, line_id)) from reports.rebased_levels",
    "members": "select sum(contribution_ytd) from reports.members",
    "calendar_years": "select line_return from reports.calendar_years",
}
"""By the table that a recipe reads, a figure that it prints."""


@pytest.fixture(scope="module")
def folder(built_sample_store: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a recipe finds in its current folder: the data folder, and an export."""
    found = tmp_path_factory.mktemp("recipes")
    (found / "data").symlink_to(built_sample_store.data_dir)
    export = ["export", "--table", "factsheet", "--format", "xlsx", "--to", str(found / "factsheet.xlsx")]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TITANS_DATA_DIR": str(built_sample_store.data_dir),
    }
    subprocess.run([sys.executable, "-m", "titans", *export], cwd=PROJECT_ROOT, env=environment, check=True)
    return found


def run(command: list[str], folder: Path, own: bool = False) -> str:
    programs = Path(sys.executable).parent if own else ENVIRONMENT / "bin"
    result = subprocess.run(
        [str(programs / command[0]), *command[1:]],
        cwd=folder,
        env={"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_recipe_is_found() -> None:
    titles = set(re.findall(r"^### (.+)$", _RUN, re.MULTILINE))
    assert titles - set(RECIPES) == {"A notebook"}
    assert len(RECIPES) >= 9


@pytest.mark.parametrize("title", sorted(RECIPES))
def test_a_recipe_shows_what_is_published(title: str, folder: Path, built_sample_store: Settings) -> None:
    """A figure of the table that it reads, to the digits that the tool prints."""
    recipe = RECIPES[title]
    if recipe.startswith("duckdb "):
        (folder / "recipe.sh").write_text(recipe)
        output = subprocess.run(
            ["/bin/sh", "recipe.sh"],
            cwd=folder,
            env={"PATH": f"{ENVIRONMENT / 'bin'}:/usr/bin:/bin", "HOME": str(folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    else:
        (folder / "recipe.py").write_text(recipe)
        output = run(["python", "recipe.py"], folder, own=title in OF_THE_PROJECT)
    (table,) = (name for name in FIGURES if re.search(rf"\b{name}\b", recipe))
    ((value,), *_) = ask(built_sample_store, f"{FIGURES[table]} where basket_id = 'china_titans' order by 1 desc")
    printed = [float(number) for number in re.findall(r"-?\d+\.\d+", output)]
    assert any(number == pytest.approx(value, rel=1e-5) for number in printed), output


def test_the_notebook_runs(folder: Path, built_sample_store: Settings) -> None:
    notebook = folder / "docs" / "notebooks" / "basket.ipynb"
    notebook.parent.mkdir(parents=True)
    shutil.copyfile(PROJECT_ROOT / "docs" / "notebooks" / "basket.ipynb", notebook)
    run(["jupyter-execute", "--inplace", str(notebook)], notebook.parent)
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    outputs = ["".join("".join(out["data"]["text/plain"]) for out in cell["outputs"]) for cell in cells]
    assert all(outputs[1:])
    ((name, ytd),) = ask(
        built_sample_store, "select basket_name, return_ytd from reports.factsheet where basket_id = 'china_titans'"
    )
    assert name in outputs[1]
    assert f"{ytd:.6f}"[:7] in outputs[1]


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads((PROJECT_ROOT / "docs" / "notebooks" / "basket.ipynb").read_text())["cells"]
    assert [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
