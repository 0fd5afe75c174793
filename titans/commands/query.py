"""``make query``: one statement, or a prompt, on the published file. No files, no network, no settings."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from include.errors import TitansError
from include.paths import PublishedPaths
from include.plain_text import visible
from include.publishing.generations import linked_generation
from include.settings import load_shared_settings
from include.sources.files.spelling import meant
from titans.output import console

MAX_ROWS = 1000
LONGEST_SECONDS = 300.0
"""A statement without an end would else hold every processor, and the build wait for it."""
_SHUT_OFF = (
    "memory_limit = '2GB'",  # by default, nearly all that the machine has
    "temp_directory = ''",  # it would lie beside the published file
    "allow_persistent_secrets = false",
    "allow_community_extensions = false",
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "python_enable_replacements = false",  # a table name must not find a variable of this program
    "enable_external_access = false",
    # Where a profile is written, DuckDB meets the setting above with an internal error.
    "disabled_filesystems = 'LocalFileSystem'",
    "lock_configuration = true",
)
_ALLOWED = {"SELECT", "EXPLAIN", "CREATE"}
"""CREATE is what PIVOT comes to, and temporary tables; in the file itself DuckDB refuses it."""
_SWITCHES = re.compile(r"(enable|disable)_(logging|profiling)|truncate_duckdb_logs|write_log|checkpoint", re.IGNORECASE)
"""Functions of a SELECT that change how the connection works, which no lock of the configuration covers."""
_SYMBOLS = re.compile(r"\bsymbol\s*(?:=|in\s*\()\s*('[^']*'(?:\s*,\s*'[^']*')*)", re.IGNORECASE)
_LITERAL = re.compile(r"'([^']*)'")
_FEW_COLUMNS = 4
"""So few may be folded; more of them that do not fit beside each other are printed below each other."""


def query(sql: Annotated[str, typer.Argument(help="One SQL statement; without it, a prompt.")] = "") -> None:
    """Ask the published file, read-only."""
    published = load_shared_settings().published
    if sql:
        show(console, published, sql)
    else:
        prompt(console, published)


@contextmanager
def open_published(published: PublishedPaths) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the generation that the link names.

    Raises:
        TitansError: nothing is published.
    """
    if linked_generation(published) is None:
        raise TitansError(f"Nothing is published at {published.link}: make status names the command that publishes.")
    try:
        opened = duckdb.connect(str(published.link.resolve()), read_only=True)
    except duckdb.Error as error:
        raise TitansError(
            f"{published.link.resolve()} cannot be opened ({str(error).splitlines()[0]}): make status says what to do."
        ) from error
    with opened as connection:
        connection.execute("set schema = 'marts'")
        for setting in _SHUT_OFF:
            connection.execute(f"set {setting}")
        yield connection


def show(console: Console, published: PublishedPaths, sql: str) -> None:
    """Run one statement and print its rows as a table.

    Raises:
        TitansError: the statement failed, says what DuckDB said; or it was stopped.
    """
    with open_published(published) as connection:
        _print_result(console, connection, sql)


def prompt(console: Console, published: PublishedPaths) -> None:
    """Read statements, each to its semicolon, until ``exit`` or the end of input."""
    import readline  # noqa: F401  # gives input() its line editing

    console.print(
        "Titans, read-only. Tables are in marts, reports and ops: show tables; A statement ends with a semicolon; exit ends."
    )
    with open_published(published) as connection:
        for statement in _statements():
            try:
                _print_result(console, connection, statement)
            except TitansError as error:
                console.print(f"Error: {error}", style="red", markup=False)


def _statements() -> Iterator[str]:
    """Statements from standard input; one may take several lines, and the last needs no semicolon."""
    lines: list[str] = []
    while True:
        try:
            line = input("   ...> " if lines else "titans> ").strip()
        except (EOFError, KeyboardInterrupt):
            if lines:
                yield "\n".join(lines)
            return
        if not lines and line.lower() in ("exit", "quit", ".exit", ".quit"):
            return
        if line:
            lines.append(line)
        if line.endswith(";"):
            yield "\n".join(lines)
            lines = []


def _print_result(console: Console, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    alarm = threading.Timer(LONGEST_SECONDS, connection.interrupt)
    alarm.start()
    try:
        _check_statements(connection, sql)
        result = connection.execute(sql)
        # A lone semicolon or comment is no statement and has no result.
        names = [visible(column[0]) for column in (result.description if result else None) or []]
        rows: list[tuple[Any, ...]] = result.fetchmany(MAX_ROWS + 1) if names else []
    except duckdb.InterruptException as error:
        raise TitansError(
            f"The query was stopped after {LONGEST_SECONDS:.0f} seconds: ask for less, "
            "or open the file or a copy of it with a client of your own."
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise TitansError(
            "The query needs more memory than make query gives, 2 GB: ask for less, "
            "or open the file or a copy of it with a client of your own."
        ) from error
    except duckdb.Error as error:
        raise TitansError(f"The query failed: {str(error).split('Stack Trace')[0].strip()}") from error
    except RuntimeError as error:  # what DuckDB makes of Ctrl-C
        connection.interrupt()  # its threads may go on, and closing would wait for them
        raise TitansError("The query was stopped.") from error
    finally:
        alarm.cancel()
    texts = [["" if value is None else visible(str(value)) for value in row] for row in rows[:MAX_ROWS]]
    widths = [max(len(text) for text in column) for column in zip(names, *texts, strict=True)]
    if not names or not texts:
        console.print("No rows.")
        for sentence in _unknown_symbols(connection, sql):
            console.print(sentence, markup=False, soft_wrap=True)
    elif sum(widths) + 2 * len(widths) <= console.width or len(names) <= _FEW_COLUMNS:
        table = Table(*names, box=None, header_style="bold")
        for row in texts:
            table.add_row(*row)
        console.print(table, markup=False)
    else:
        _print_upright(console, names, texts)
    if len(rows) > MAX_ROWS:
        console.print(f"The first {MAX_ROWS} rows; add a LIMIT or connect a client for more.")


def _unknown_symbols(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """A sentence for each symbol that a statement asks for and the published file does not have."""
    asked = [name for names in _SYMBOLS.findall(sql) for name in _LITERAL.findall(names)]
    try:
        known = {symbol for (symbol,) in connection.execute("select symbol from marts.dim_securities").fetchall()}
    except duckdb.Error:
        return []
    guesses = meant([name for name in asked if name not in known], known)
    return [
        f"There is no symbol {visible(name)} in dim_securities"
        + (f": did you mean {guesses[name]}?" if name in guesses else ".")
        for name in dict.fromkeys(asked)
        if name not in known
    ]


def _check_statements(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse all of ``sql`` if any statement of it would do more than read. Behind this stand DuckDB's own locks."""
    for statement in connection.extract_statements(sql):
        kind = str(statement.type).rsplit(".", 1)[-1]
        switch = _SWITCHES.search(statement.query)
        if kind not in _ALLOWED or switch:
            raise TitansError(
                f"{switch[0] if switch else kind} is disabled: make query is read-only and its settings are locked. "
                "Ask with SELECT, FROM, WITH, PIVOT, SHOW, DESCRIBE or EXPLAIN; "
                "for more, open the file or a copy of it with a client of your own."
            )


def _print_upright(console: Console, names: list[str], rows: list[list[str]]) -> None:
    """One column a line: a mart of 50 columns would be nothing but dots in a table."""
    width = max(len(name) for name in names)
    for number, row in enumerate(rows, 1):
        console.print(f"row {number}", style="bold")
        for name, text in zip(names, row, strict=True):
            console.print(f"  {name:<{width}}  {text}", markup=False, soft_wrap=True)
