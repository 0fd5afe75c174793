"""The command line behind the Makefile: ``python -m titans COMMAND``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer
from rich.console import Console

from include.errors import TitansError, refusal
from include.plain_text import visible
from include.settings import load_settings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
# A pipe has no width of its own: wide enough for a sentence a line.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose errors are sentences: no traceback for what a user can mend."""

    @app.command(function.__name__.rstrip("_").replace("_", "-"))
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except TitansError as error:
            errors.print(f"Error: {visible(str(error))}", style="red", markup=False)
            raise typer.Exit(1) from error
        except BrokenPipeError:
            raise typer.Exit(0) from None
        except OSError as error:
            errors.print(f"Error: {visible(refusal(error))}", style="red", markup=False)
            raise typer.Exit(1) from error

    return wrapper


@command
def run() -> None:
    """Ingest, build, check and publish."""
    from titans.pipeline import run_pipeline
    from titans.summary import print_summary

    settings = load_settings()
    result = run_pipeline(settings)
    assert result.build is not None, "a failed build raises"
    print_summary(console, settings, result.build, result.notes)


@command
def query(sql: Annotated[str, typer.Argument(help="One SQL statement; without it, a prompt.")] = "") -> None:
    """Ask the published file, read-only."""
    from titans.query import prompt, show

    settings = load_settings()
    if sql:
        show(console, settings, sql)
    else:
        prompt(console, settings)


@command
def status() -> None:
    """What is published and how old, what failed and why, what is quarantined, late or held; ends with 1 where something is red."""
    from titans.status import print_status

    if print_status(console, load_settings()):
        raise typer.Exit(1)


@command
def rollback(to: Annotated[str, typer.Argument(help="Generation; default, the one before.")] = "") -> None:
    """Move the link to an earlier generation and hold it there."""
    from include.publishing.generations import roll_back

    before, after = roll_back(load_settings(), to or None)
    console.print(
        f"The link names {after} now, and {before} no more. Builds go on and the link stays, until make publish."
    )


@command
def publish() -> None:
    """Let builds move the link again, and move it to the newest generation."""
    from include.publishing.generations import release_hold

    console.print(f"The link names {release_hold(load_settings())} now, and builds move it again.")


@command
def release(
    batch: Annotated[str, typer.Option(help="Batch of the quarantined unit.")] = "",
    symbol: Annotated[str, typer.Option(help="Its symbol; default, every symbol of the batch.")] = "",
    reason: Annotated[str, typer.Option(help="Why it may be let in.")] = "",
) -> None:
    """Let a quarantined unit in, on the record."""
    from titans.release import release_units

    for unit in release_units(load_settings(), batch, symbol, reason):
        console.print(f"Released {unit}. The next build uses it: make run.")


@command
def airflow(port: Annotated[str, typer.Option(help="Port on 127.0.0.1.")] = "8080") -> None:
    """Serve the Airflow UI and run the schedules, until Ctrl-C."""
    from titans.server import serve

    serve(console, load_settings(), port)


@command
def backup() -> None:
    """Copy estimate snapshots and seeds into one file."""
    from titans.backup import back_up

    console.print(f"Backed up to {back_up(load_settings())}.", soft_wrap=True)


@command
def restore(from_: Annotated[str, typer.Argument(metavar="FROM", help="A file that backup made.")] = "") -> None:
    """Bring estimate snapshots back from a backup, and list the seeds in it that differ."""
    from titans.backup import bring_back

    for line in bring_back(load_settings(), from_):
        console.print(line, soft_wrap=True)


@command
def reset(confirm: Annotated[str, typer.Option(help="yes removes the data folder.")] = "") -> None:
    """List the data folder, back the snapshots up beside it, and remove it."""
    from titans.backup import remove_data

    for line in remove_data(load_settings(), confirm):
        console.print(line, soft_wrap=True)


@command
def tidy() -> None:
    """Remove run records, incidents and logs older than TITANS_KEEP_RECORDS_DAYS and, if TITANS_KEEP_HISTORY_DAYS is set, history older than that."""
    from titans.tidy import remove_old_history, remove_old_records

    settings = load_settings()
    for line in [*remove_old_records(settings), *remove_old_history(settings)]:
        console.print(line, soft_wrap=True)


@command
def docs() -> None:
    """Write the dbt docs as one HTML file."""
    from titans.dbt_docs import write_docs

    console.print(f"Wrote {write_docs(load_settings())}: open it in a browser.", soft_wrap=True)


@command
def parse() -> None:
    """Check that dbt can read the project."""
    import tempfile

    from include.transform import invoke_dbt

    with tempfile.TemporaryDirectory() as folder:
        invoke_dbt(load_settings(data_dir=folder), ["parse"])


@command
def bench() -> None:
    """Time a run from nothing and a second one, part by part."""
    from titans.bench import print_bench

    print_bench(console)


if __name__ == "__main__":
    app()
