"""The command line: one module a command, and no command waits for what another one needs."""

from __future__ import annotations

import json
import pkgutil
import re
import subprocess
import sys

import duckdb
import pytest
from typer.testing import CliRunner

import titans.commands
from include.errors import TitansError
from include.settings import PROJECT_ROOT
from titans.__main__ import COMMANDS, app
from titans.commands import publish

HEAVY = ["airflow", "dbt", "duckdb", "great_expectations", "pandas", "pyarrow", "exchange_calendars", "yfinance"]


def test_each_module_is_a_command() -> None:
    modules = [module.name for module in pkgutil.iter_modules(titans.commands.__path__)]
    assert sorted(COMMANDS) == sorted(modules)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_says_what_it_does(name: str) -> None:
    whole, one = (CliRunner().invoke(app, words, env={"COLUMNS": "300"}) for words in (["--help"], [name, "--help"]))
    assert (whole.exit_code, one.exit_code) == (0, 0), one.output
    (line,) = [line.strip("│ ") for line in whole.output.splitlines() if line.startswith(f"│ {name} ")]
    assert line.removeprefix(name).strip() in one.output


def test_an_unknown_command_is_refused_by_its_name() -> None:
    result = CliRunner().invoke(app, ["statsu"])
    assert result.exit_code == 2
    assert "No such command 'statsu'" in result.output


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TitansError("Nothing landed."), r"^Error: Nothing landed\.$"),
        (OSError(24, "Too many open files", "hold.json"), r"^Error: hold\.json cannot be .*ulimit -n"),
        (
            duckdb.IOException("IO Error: Cannot open\nmore"),
            r"^Error: DuckDB could not go on \(IO Error: Cannot open\): ",
        ),
    ],
)
def test_what_a_user_can_mend_is_a_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str) -> None:
    def refused() -> None:
        raise error

    monkeypatch.setattr(publish, "load_shared_settings", refused)
    result = CliRunner().invoke(app, ["publish"], env={"COLUMNS": "1000"})
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True)
    assert re.search(sentence, result.output.strip())


@pytest.mark.parametrize("name", ["status", "rollback", "publish", "release"])
def test_a_command_that_reads_records_is_light(name: str) -> None:
    code = (
        f"import json, sys, titans.__main__, titans.commands.{name}; "
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == []
