"""The command line behind the Makefile: ``python -m titans COMMAND``."""

from __future__ import annotations

import codecs
import locale
import os
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from include.errors import TitansError, refusal
from include.plain_text import visible
from titans.output import errors

COMMANDS = (
    "run",
    "build",
    "report",
    "query",
    "export",
    "status",
    "rollback",
    "publish",
    "release",
    "airflow",
    "superset",
    "backup",
    "restore",
    "reset",
    "tidy",
    "docs",
    "bench",
)


class Commands(TyperGroup):
    """The modules of ``titans.commands``. Each is imported when it is asked for: ``make status`` waits for no other."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer.Context is what it gets
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, name: str) -> TyperCommand | None:  # type: ignore[override]  # see above
        if name not in COMMANDS:
            return None
        app = typer.Typer(add_completion=False)
        app.command(name)(_with_sentences(getattr(import_module(f"titans.commands.{name}"), name)))
        command = typer.main.get_command(app)
        assert isinstance(command, TyperCommand), "one function makes one command"
        return command


def _with_sentences(function: Callable[..., None]) -> Callable[..., None]:
    """No traceback for what a user can mend."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except BrokenPipeError:
            raise typer.Exit(0) from None
        except Exception as error:
            if not isinstance(error, (TitansError, OSError, *_errors_of_duckdb())):
                raise
            errors.print(f"Error: {visible(_sentence(error))}", style="red", markup=False)
            raise typer.Exit(1) from error

    return wrapper


def _errors_of_duckdb() -> tuple[type[Exception], ...]:
    """None where the command has not imported it: who reads records alone waits for no database."""
    duckdb = sys.modules.get("duckdb")
    return (duckdb.Error,) if duckdb else ()


def _sentence(error: Exception) -> str:
    if isinstance(error, TitansError):
        return str(error)
    if isinstance(error, OSError):
        return refusal(error)
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"DuckDB could not go on ({first_line}): free memory, disk or open files, and see what make status names, then "
        "try again. What was published is untouched."
    )


app = typer.Typer(cls=Commands, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def titans() -> None:
    """Titans: prices, estimates and marts of baskets of stocks."""


def _in_utf8() -> None:
    """Start again in Python's UTF-8 mode where the locale has another encoding: Airflow reads its own files in it."""
    if codecs.lookup(locale.getpreferredencoding(False)).name != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if __name__ == "__main__":
    _in_utf8()
    app()
