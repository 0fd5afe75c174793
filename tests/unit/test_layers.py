"""The direction of imports, and what each folder says of itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from include.settings import PROJECT_ROOT

PACKAGES = sorted(
    path.parent
    for folder in ("include", "titans", "tests")
    for path in (PROJECT_ROOT / folder).rglob("__init__.py")
    if "airflow_plugins" not in path.parts
)


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_imports_follow_the_layers() -> None:
    result = _lint(PROJECT_ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [("include/landing/batches.py", "import include.runs.records"), ("include/files.py", "import airflow")],
)
def test_an_import_against_the_layers_is_refused(tmp_path: Path, module: str, line: str) -> None:
    """The rules can fail: a copy of the modules with one line too many."""
    for path in [
        PROJECT_ROOT / "pyproject.toml",
        *PROJECT_ROOT.glob("include/**/*.py"),
        *PROJECT_ROOT.glob("titans/**/*.py"),
    ]:
        target = tmp_path / path.relative_to(PROJECT_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{line}\n")
    result = _lint(tmp_path)
    assert result.returncode != 0
    assert module.removesuffix(".py").replace("/", ".") in result.stdout


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_a_package_says_what_it_is(package: Path) -> None:
    """In one line: the first of its docstring."""
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text()))
    assert docstring, f"{package} has no docstring"
    assert docstring.splitlines()[0].endswith((".", ":"))
