"""Paths and locales of other people's machines: characters in a folder's name, and text without an encoding."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from include.errors import TitansError
from include.settings import PROJECT_ROOT, load_settings, load_shared_settings

OWN_CODE = sorted(path for folder in ("include", "titans", "dags") for path in (PROJECT_ROOT / folder).rglob("*.py"))
TEXT_METHODS = {"read_text", "write_text"}
BINARY_OPENERS = {"Image", "tarfile", "gzip", "urllib"}


@pytest.mark.parametrize("character", list("'\"#?%;$*[]{}\\\n\t\x7f\u2028\udce9"))
@pytest.mark.parametrize("setting", ["data_dir", "dbt_project_dir"])
def test_a_folder_that_a_part_of_a_run_cannot_open_is_refused(tmp_path: Path, character: str, setting: str) -> None:
    folder = tmp_path / f"my{character}data"
    with pytest.raises(TitansError, match=r"(?s)The (data folder|dbt project) .* in its path") as refusal:
        load_settings(**{setting: str(folder)})
    str(refusal.value).encode()
    assert list(tmp_path.iterdir()) == []


def test_an_export_may_lie_anywhere_that_has_a_name(tmp_path: Path) -> None:
    anywhere = tmp_path / "O'Brien's \"50%\" #1 [a=b] *?$;{}\\"
    assert load_shared_settings(files_dir=str(anywhere), source="files").files_dir == anywhere.resolve()
    with pytest.raises(TitansError, match=r"FILES=.*\\udce9.* no UTF-8"):
        load_shared_settings(files_dir=str(tmp_path / "\udce9"), source="files")


def test_any_letter_and_most_signs_are_fine_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a b é 中 Ω (1) & x=1, @ ! ~ + : ^ | < > ` -_."
    assert load_shared_settings(data_dir=str(folder)).data_dir == folder.resolve()


@pytest.mark.parametrize("path", OWN_CODE, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_text_is_read_and_written_in_a_named_encoding(path: Path) -> None:
    unnamed = []
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        if "encoding" in named:
            continue
        modes = [argument.value for argument in [*call.args, *named.values()] if isinstance(argument, ast.Constant)]
        is_mode = [mode for mode in modes if isinstance(mode, str) and mode and set(mode) <= set("rwaxbt+")]
        owner = getattr(getattr(call.func, "value", None), "id", "")
        opens_text = (
            name in ("open", "fdopen")
            and owner not in BINARY_OPENERS
            and not any("b" in mode for mode in is_mode)
            and (owner != "os" or name == "fdopen")
            and ast.unparse(call.func) != "urllib.request.build_opener(_NoRedirect).open"
        )
        if name in TEXT_METHODS or opens_text or "text" in named or "universal_newlines" in named:
            unnamed.append(f"line {call.lineno}: {ast.unparse(call)[:80]}")
    assert unnamed == []


def test_a_locale_without_utf_8_is_left_for_pythons_utf_8_mode() -> None:
    script = (
        "import os, runpy, sys\n"
        "sys.argv = ['titans', '--help']\n"
        "os.execv = lambda program, arguments: print('again', os.environ['PYTHONUTF8'])\n"
        "runpy.run_module('titans', run_name='__main__')\n"
    )

    def said(**environment: str) -> str:
        result = subprocess.run(
            [sys.executable, "-c", script],
            cwd=PROJECT_ROOT,
            env={"PYTHONPATH": str(PROJECT_ROOT), **environment},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        return result.stdout.splitlines()[0]

    assert said(LC_ALL="C", PYTHONUTF8="0") == "again 1"
    assert said(LC_ALL="C.UTF-8") != "again 1"
