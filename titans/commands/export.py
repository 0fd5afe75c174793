"""``make export``: one table of the published file as CSV, Parquet or a workbook, for who cannot open the file itself."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer

from include.errors import TitansError
from include.files import replacing
from include.plain_text import visible
from include.publishing.generations import linked_generation
from include.settings import Settings, load_shared_settings
from titans.commands.query import open_published
from titans.output import console

MOST_ROWS = 1_048_575
"""Of a worksheet, below its header."""
_MOST_DIGITS = 2**53
"""A workbook's numbers are doubles: a larger whole number would lose its last digits, and is written as text."""
_BATCH = 10_000


@dataclass(frozen=True)
class Table:
    """A table of the published file.

    Attributes:
        columns: name, type and description of each.
    """

    name: str
    description: str
    columns: list[tuple[str, str, str]]

    @property
    def sql(self) -> str:
        """Its rows in the order of the file. Its times are UTC, and say so."""
        times = [f'"{name}" at time zone \'UTC\' as "{name}"' for name, kind, _ in self.columns if kind == "TIMESTAMP"]
        in_utc = f" replace ({', '.join(times)})" if times else ""
        return f"select *{in_utc} from {self.name}"


def export(
    table: Annotated[str, typer.Option(help="Of marts, reports or ops.")] = "",
    format_: Annotated[str, typer.Option("--format", help="csv, parquet or xlsx.")] = "",
    to: Annotated[str, typer.Option(help="The file; exports/<table>-<generation>.<format> in the data folder.")] = "",
) -> None:
    """Write one table of the published file to a file of its own, which appears whole."""
    settings = load_shared_settings()
    with open_published(settings.published) as connection:
        found = _table(connection, table)
    write = _writer(format_)
    target = Path(to).expanduser() if to else _default(settings, found, format_.lower())
    if target.is_dir():
        raise TitansError(f"{target} is a folder: name a file in it, TO={target / target.name}.{format_.lower()}.")
    if target.exists():
        raise TitansError(f"{target} is there already, so nothing was written: remove it, or give another TO=.")
    with _connect(settings) as connection:
        ((rows,),) = connection.execute(f"select count(*) from {found.name}").fetchall()
        try:
            with replacing(target) as temporary:
                write(connection, found, rows, temporary)
        except duckdb.OutOfMemoryException:
            raise
        except (OSError, duckdb.IOException) as error:
            raise TitansError(
                f"{target} cannot be written ({str(error).splitlines()[0]}), and nothing of it is left: free space, or "
                "give another TO=."
            ) from error
    console.print(f"{found.name}, {rows:,} rows: {target}", markup=False, soft_wrap=True)


def _connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The published file, read-only, with times in UTC. Unlike that of make query it may write other files."""
    connection = settings.limits.in_memory()
    path = str(settings.published.link.resolve()).replace("'", "''")
    connection.execute(f"attach '{path}' as titans (read_only); use titans; set TimeZone = 'UTC'")
    return connection


def _default(settings: Settings, table: Table, format_: str) -> Path:
    name = table.name.split(".")[1]
    return settings.data_dir / "exports" / f"{name}-{linked_generation(settings.published)}.{format_}"


def _table(connection: duckdb.DuckDBPyConnection, name: str) -> Table:
    """The table that a user names, with or without its schema.

    Raises:
        TitansError: there is none of that name.
    """
    known = {
        table: (f"{schema}.{table}", comment or "")
        for schema, table, comment in connection.execute(
            "select schema_name, table_name, comment from duckdb_tables() order by all"
        ).fetchall()
    }
    short = name.strip().lower()
    if short.split(".")[0] in {full.split(".")[0] for full, _ in known.values()}:
        short = short.split(".", 1)[-1]
    if short not in known or (name.strip().lower() != short and known[short][0] != name.strip().lower()):
        names = [full for full, _ in known.values()]
        near = difflib.get_close_matches(short, known, 3, 0.5)
        guess = (
            f"did you mean {' or '.join(known[one][0] for one in near)}?" if near else f"there are {', '.join(names)}."
        )
        given = f"There is no table {visible(name)}" if name else "make export needs TABLE="
        raise TitansError(f"{given}: {guess}")
    full, comment = known[short]
    columns = connection.execute(
        """select column_name, data_type, coalesce(comment, '') from duckdb_columns()
        where table_name = ? order by column_index""",
        [short],
    ).fetchall()
    return Table(full, comment, columns)


Writer = Callable[[duckdb.DuckDBPyConnection, Table, int, Path], None]


def _writer(format_: str) -> Writer:
    """What writes a format.

    Raises:
        TitansError: there is none of that name.
    """
    writers: dict[str, Writer] = {"csv": _write_csv, "parquet": _write_parquet, "xlsx": _write_workbook}
    name = format_.strip().lower()
    if name not in writers:
        close = {"excel": ["xlsx"], "xls": ["xlsx"], "pq": ["parquet"]}.get(name) or difflib.get_close_matches(
            name, writers, 1
        )
        guess = f"did you mean {close[0]}? " if close else ""
        given = f"There is no format {visible(format_)}" if format_ else "make export needs FORMAT="
        raise TitansError(f"{given}: {guess}Formats are {', '.join(writers)}.")
    return writers[name]


def _write_csv(connection: duckdb.DuckDBPyConnection, table: Table, _: int, target: Path) -> None:
    connection.execute(f"copy ({table.sql}) to {_text(target)} (format csv, header)")


def _write_parquet(connection: duckdb.DuckDBPyConnection, table: Table, _: int, target: Path) -> None:
    connection.execute(f"copy ({table.sql}) to {_text(target)} (format parquet, compression zstd)")


def _write_workbook(connection: duckdb.DuckDBPyConnection, table: Table, rows: int, target: Path) -> None:
    """Two sheets: the rows, with dates and numbers as such, and what each column means.

    Raises:
        TitansError: there are more rows than a worksheet holds, or a text that a cell cannot hold.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    if rows > MOST_ROWS:
        raise TitansError(
            f"{table.name} has {rows:,} rows, and a worksheet holds {MOST_ROWS:,} below its header: export it with "
            "FORMAT=csv or FORMAT=parquet, or ask for less with make query."
        )
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    try:
        with xlsxwriter.Workbook(str(target), options) as book:
            _fill(book, connection, table)
    except FileCreateError as error:  # it is no OSError
        raise OSError(str(error)) from error


def _fill(book: Any, connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    bold = book.add_format({"bold": True})
    formats = {
        "DATE": book.add_format({"num_format": "yyyy-mm-dd"}),
        "TIMESTAMP": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
    }
    sheet = book.add_worksheet(table.name.split(".")[1][:31])
    sheet.freeze_panes(1, 0)
    for place, (name, kind, _) in enumerate(table.columns):
        sheet.set_column(place, place, min(40, max(12, len(name) + 2)), formats.get(kind))
    for place, (name, kind, _) in enumerate(table.columns):
        sheet.write_string(0, place, f"{name} (UTC)" if kind == "TIMESTAMP" else name, bold)
    found = connection.execute(table.sql)
    number = 1
    while batch := found.fetchmany(_BATCH):
        for row in batch:
            for place, value in enumerate(row):
                _write_cell(sheet, table, number, place, value, formats)
            number += 1
    sheet.autofilter(0, 0, max(number - 1, 1), len(table.columns) - 1)
    about = book.add_worksheet("About")
    about.set_column(0, 0, 32)
    about.set_column(1, 1, 120)
    lines = [(table.name, table.description), *((name, text) for name, _, text in table.columns)]
    for line, (name, text) in enumerate(lines):
        about.write_string(line, 0, name, bold)
        about.write_string(line, 1, text)


def _write_cell(sheet: Any, table: Table, row: int, column: int, value: object, formats: dict[str, Any]) -> None:
    """One value with its type; an empty cell for NULL, and for what is no number."""
    if value is None or value != value:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, column, value.replace(tzinfo=None), formats["TIMESTAMP"])
    elif isinstance(value, date):
        sheet.write_datetime(row, column, value, formats["DATE"])
    elif isinstance(value, (int, float)) and abs(value) <= _MOST_DIGITS:
        sheet.write_number(row, column, value)
    elif sheet.write_string(row, column, str(value)):
        raise TitansError(
            f"{table.columns[column][0]} of {table.name} has a text that is longer than a cell holds, in row {row}: "
            "export it with FORMAT=csv or FORMAT=parquet."
        )


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
