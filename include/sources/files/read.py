"""One file of an export as checked rows: what cannot be read is a problem of its row, not of the file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from include.errors import TitansError
from include.limits import Limits
from include.seeds.rows import Reference
from include.sources.base import PROBLEM, SCHEMAS, UNIT_COLUMNS, Dataset
from include.sources.files.folder import ExportFile, Units
from include.sources.files.layouts import DERIVED, Layout, layout_of
from include.sources.files.sheet import Sheet, open_sheet, reading

_KINDS = {"string": "varchar", "date32[day]": "date", "double": "double", "int64": "bigint"}
_WANTED = {
    "date": "a date such as 2025-03-07",
    "double": "a number such as 1101.5",
    "bigint": "a whole number such as 1101",
}
_MOMENT = "a time of day and not a day: export midnights in the time zone of the exchange, or days such as 2025-03-07"
_LARGE = {"base_currency", "quote_currency", "currency", "dividend_currency"}
_SMALL = {"metric", "period_label", "tenor", "quote_basis", "period_type"}
"""Columns whose words are in large, or in small, letters, and count in either."""
_OF_LABEL = "case right(lower(trim(raw.period_label::varchar)), 1) when 'q' then 'quarter' when 'y' then 'annual' end"
_MEMORY = 300 * 10**6
"""Enough for the tables that hold an export while it is read, where a run has little. The rest goes to the disk."""
MOST_PROBLEMS = 100_000
"""Rows with a problem in one file, and rows of unknown symbols, that are rejected one by one. More refuse the file."""


def open_reader(reference: Reference, spare_room: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    """A connection with an empty table for each dataset: the schema's columns, then ``unit``, ``file`` and ``line``.

    Args:
        spare_room: where rows go that do not fit into memory.
        limits: of the run. An eighth of its memory serves, or 300 MB where that is less.
    """
    memory = min(limits.memory, max(_MEMORY, limits.memory // 8))
    connection = duckdb.connect(config=Limits(memory, limits.threads).config(spare_room))
    connection.execute("set timezone = 'UTC'")
    connection.execute(Path(__file__).with_name("values.sql").read_text(encoding="utf-8"))
    currencies = {security.symbol: security.currency for security in reference.securities}
    spellings = Units(Dataset.PRICES, reference).by_small_letters
    connection.register(
        "spellings", pa.table({"small": list(spellings), "symbol": pa.array(spellings.values(), pa.string())})
    )
    connection.register(
        "securities",
        pa.table({"symbol": list(currencies), "currency": list(currencies.values())}),
    )
    for dataset in Dataset:
        derived = DERIVED.get(dataset, set())
        columns = [field for field in SCHEMAS[dataset] if field.name not in derived]
        schema = pa.schema([*columns, PROBLEM, ("unit", pa.string()), ("file", pa.string()), ("line", pa.int64())])
        connection.register("empty", schema.empty_table())
        connection.execute(f"create table {dataset} as from empty")
    return connection


def read_file(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, file: ExportFile, reference: Reference
) -> Layout:
    """Append the rows of ``file`` to the table of ``dataset``; returns the layout that it has.

    Raises:
        TitansError: the file cannot be read, lacks a column, or most of its rows cannot be read; names the file and the
            column, or the line and the value.
    """
    sheet = open_sheet(file)
    units = Units(dataset, reference)
    layout = layout_of(dataset, sheet, units)
    with reading(file):
        rows = sheet.rows(layout.positions)
    connection.execute("begin")
    try:
        with reading(file):
            connection.register("sheet", _a_row_for_each(rows, layout) if layout.cells else rows)
            connection.execute(f"insert into {dataset} by name {_typed(dataset, sheet, layout)}", {"file": file.name})
        for broken in sheet.broken:
            if broken.has_open_quotation:
                raise TitansError(
                    f"{file.path}, line {broken.line}: a quotation mark opens and is not closed, so the lines after it "
                    "cannot be told apart. Correct the export."
                )
        _append_broken(connection, dataset, sheet, layout, units)
        _refuse_unreadable(connection, dataset, file)
        connection.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # a commit that fails has rolled back by itself
            connection.execute("rollback")
        raise
    finally:
        connection.unregister("sheet")
        rows.close()
    return layout


def _typed(dataset: Dataset, sheet: Sheet, layout: Layout) -> str:
    """The query over ``sheet`` that gives the table's columns."""
    given: dict[str, tuple[str, pa.DataType]] = {
        column: (f"c{position}", sheet.types[position]) for column, position in layout.columns.items()
    }
    unit: str | None
    if layout.cells:
        names = sorted({cell.field for cell in layout.cells})
        # Where there is no bar, pandas leaves prices empty and may write a volume or dividend of 0.
        says = " or ".join(
            f"not is_empty({name})" if name in ("close", "rate") else f"coalesce(number_of({name}), 0) <> 0"
            for name in names
        )
        source, unit = f"from sheet where line >= {layout.first_line} and ({says})", "unit"
        given |= {name: (name, pa.string()) for name in names}
    else:
        is_blank = " and ".join(f"c{position} is null" for position in layout.positions)
        source = f"from sheet where line >= {layout.first_line} and not ({is_blank})"
        unit = _text(layout.unit) if layout.unit else None
    if unit:
        pair = {"base_currency": f"left({unit}, 3)", "quote_currency": f"substr({unit}, 4)"}
        named = pair if dataset is Dataset.FX_RATES else {UNIT_COLUMNS[dataset][0]: unit}
        given |= {column: (expression, pa.string()) for column, expression in named.items()}
    raw, values, checked = [], [], []
    for field in SCHEMAS[dataset]:
        if field.name in DERIVED.get(dataset, ()):
            continue
        kind = _KINDS[str(field.type)]
        if field.name not in given:
            comes_as_label = field.name == "period_type" and "period_label" in given
            values.append(f"{_OF_LABEL if comes_as_label else f'null::{kind}'} as {field.name}")
            continue
        expression, written = given[field.name]
        # Blanks do not count, and DuckDB trims all but tabs.
        if written == pa.string():
            expression = f"replace({expression}, chr(9), ' ')"
        raw.append(f"{expression} as {field.name}")
        is_rounded = field.name == "volume"
        value = _value(kind, "raw." + field.name, written, is_rounded)
        if field.name == "symbol":
            value = f"coalesce(spellings.symbol, {value})"
        elif field.name in _LARGE:  # not GBp, which is a penny
            value = f"case when {value} = lower({value}) then upper({value}) else {value} end"
        elif field.name in _SMALL:
            value = f"lower({value})"
        values.append(f"{value} as {field.name}")
        if kind != "varchar":
            checked.append((field.name, "double" if is_rounded else kind, _name(sheet, layout, field.name)))
    unit_column = f"nullif(concat({', '.join(UNIT_COLUMNS[dataset])}), '')"
    is_currency_given = "currency" in given or dataset is not Dataset.PRICES
    # Without a column of currencies, prices are in the one in which the security trades.
    currency = "" if is_currency_given else " replace (securities.currency as currency)"
    join = "" if is_currency_given else " left join securities using (symbol)"
    spelling = "" if "symbol" not in given else "left join spellings on small = lower(trim(raw.symbol::varchar))"
    return f"""
        with raw as (select {", ".join(raw)}, line from ({source})),
        typed as (select {", ".join(values)}, raw.line, raw from raw {spelling})
        select typed.* exclude (raw){currency}, {unit_column} as unit, $file as file,
            {_problem(checked)} as problem
        from typed{join}"""


def _a_row_for_each(rows: pa.RecordBatchReader, layout: Layout) -> pa.RecordBatchReader:
    """Of a table with a column a symbol, a row for each symbol of a line: ``line``, ``c0``, ``unit`` and the fields.

    DuckDB keeps room for 2,048 values a column, so thousands of columns would take its memory.
    """
    positions: dict[str, dict[str, int]] = defaultdict(dict)
    for cell in layout.cells:
        positions[cell.unit][cell.field] = cell.position
    names = sorted({cell.field for cell in layout.cells})
    day = rows.schema.field("c0")
    texts = [pa.field(name, pa.string()) for name in ("unit", *names)]
    schema = pa.schema([pa.field("line", pa.int64()), day, *texts])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            empty = pa.nulls(batch.num_rows, pa.string())
            for unit, of in positions.items():
                values = [batch.column(f"c{of[name]}").cast(pa.string()) if name in of else empty for name in names]
                units = pa.repeat(pa.scalar(unit), batch.num_rows)
                yield pa.RecordBatch.from_arrays(
                    [batch.column("line"), batch.column("c0"), units, *values], schema=schema
                )

    return pa.RecordBatchReader.from_batches(schema, batches())


def _problem(checked: list[tuple[str, str, str]]) -> str:
    """The sentences about values that are there and are none of their kind, else NULL.

    Args:
        checked: of each column its name, its kind, and what the file calls it.
    """
    is_suspicious = " or ".join(f"(typed.{column} is null and raw.{column} is not null)" for column, _, _ in checked)
    cells = ", ".join(
        f"{{name: {_text(name)}, wanted: {_text(_WANTED[kind])}, is_day: {kind == 'date'}, "
        f"is_read: typed.{column} is not null, given: raw.{column}::varchar}}"
        for column, kind, name in checked
    )
    return f"case when {is_suspicious} then problem_of([{cells}], {_text(_MOMENT)}) end"


def _value(kind: str, expression: str, written: pa.DataType, is_rounded: bool) -> str:
    if kind == "varchar":
        return f"nullif(trim({expression}::varchar), '')"
    if pa.types.is_boolean(written):
        expression += "::varchar"  # true is no number, nor 1
    if kind == "date":
        if pa.types.is_date(written):
            return f"{expression}::date"
        return f"day_of_moment({expression})" if pa.types.is_timestamp(written) else f"day_of({expression}::varchar)"
    macro = "rounded_of" if is_rounded else "whole_of" if kind == "bigint" else "number_of"
    return f"{macro}({expression})"


def _name(sheet: Sheet, layout: Layout, column: str) -> str:
    """What the file calls the column."""
    position = layout.columns.get(column)
    return sheet.header[0][position] or column if position is not None else column


def _append_broken(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, sheet: Sheet, layout: Layout, units: Units
) -> None:
    """Lines of the wrong length, below the header. Their symbol or currency may still be known, so that they count against it."""
    name = UNIT_COLUMNS[dataset][0]
    position = None if dataset is Dataset.FX_RATES else layout.columns.get(name)
    for broken in sheet.broken:
        if broken.line < layout.first_line:
            continue
        symbol = layout.unit
        if position is not None and position < len(broken.values):
            symbol = units.named(broken.values[position])
        column = "unit" if dataset is Dataset.FX_RATES else name
        connection.execute(
            f"insert into {dataset} ({column}, problem, file, line) values (?, ?, ?, ?)",
            [symbol, broken.problem, sheet.file.name, broken.line],
        )
    if sheet.broken and dataset is not Dataset.FX_RATES:
        connection.execute(f"update {dataset} set unit = {name} where unit is null and {name} is not null")


def _refuse_unreadable(connection: duckdb.DuckDBPyConnection, dataset: Dataset, file: ExportFile) -> None:
    rows, wrong, line, problem = connection.execute(
        "select count(*), count(problem), min(line) filter (problem is not null), arg_min(problem, line) "
        f"from {dataset} where file = ?",
        [file.name],
    ).fetchone() or (0, 0, None, None)
    if wrong > min(rows / 2, MOST_PROBLEMS):
        others = f" {wrong - 1:,} more of {rows:,} rows cannot be read either." if wrong > 1 else ""
        raise TitansError(f"{file.path}, line {line}: {problem}.{others} Correct the export.")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
