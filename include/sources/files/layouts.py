"""What the columns of a file mean: a row an observation, a file a symbol, or a column a symbol."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from include.errors import TitansError
from include.sources.base import SCHEMAS, UNIT_COLUMNS, Dataset
from include.sources.files.folder import Units
from include.sources.files.sheet import Sheet
from include.sources.files.spelling import meant

DERIVED = {Dataset.PRICES: {"basis_date"}}
"""Columns of the schemas that no file has."""
_OPTIONAL = {
    Dataset.PRICES: {"open", "high", "low", "volume", "dividend", "dividend_currency", "split_ratio", "currency"},
    Dataset.FX_RATES: set[str](),
    Dataset.SHARES: {"share_class", "note", "basis_date"},
    # Of period_label and period_type one is enough.
    Dataset.ESTIMATES: {"low", "high", "analyst_count", "note", "basis_date", "period_type"},
    Dataset.RISK_FREE: {"note"},
    Dataset.FUNDAMENTALS: {
        *("eps", "book_value_per_share", "dividends_per_share"),
        *("published_on", "shares_per_receipt", "note", "basis_date"),
    },
}
# Column of the schema -> what files call it, in plain spelling. Of symbol and ticker the first counts.
_NAMES: dict[Dataset, dict[str, tuple[str, ...]]] = {
    Dataset.PRICES: {
        "symbol": ("symbol", "ticker"),
        "dividend": ("dividend", "dividends"),
        "split_ratio": ("split_ratio", "stock_splits"),
    },
    Dataset.FX_RATES: {"rate": ("rate", "close")},
    Dataset.SHARES: {"symbol": ("symbol", "ticker"), "note": ("source",)},
    Dataset.ESTIMATES: {"symbol": ("symbol", "ticker"), "period_label": ("period",), "note": ("source",)},
    Dataset.RISK_FREE: {"note": ("source",)},
    Dataset.FUNDAMENTALS: {
        "symbol": ("symbol", "ticker"),
        "published_on": ("published_on", "as_of"),
        "note": ("source",),
    },
}
_IGNORED = {"adj_close", "capital_gains", "repaired", "open", "high", "low", "volume", "dividends", "stock_splits"}
"""What yfinance writes beside the fields that are wanted: of a price the first three, of a rate all."""
_DAY_NAMES = {"date", "", "index", "unnamed:_0", "_index_level_0_"}
"""What a column of days is called, in plain spelling, where nothing else can stand first, as an index of pandas."""
_CURRENCIES = re.compile(r"[A-Za-z]{3}([/_ -]?[A-Za-z]{3})?(=X)?")
_NUMBER = re.compile(r"[+-]?(\d|\.\d)")


@dataclass(frozen=True)
class Cell:
    """A column that holds one field of one symbol or pair."""

    position: int
    unit: str
    field: str


@dataclass(frozen=True)
class Layout:
    """How to read a file.

    Attributes:
        first_line: where the rows begin.
        columns: position of each column of the schema, where a row is an observation.
        unit: the symbol or pair of every row, where each has a file of its own.
        cells: where a column is a symbol. ``columns`` then holds the date alone.
        may_be_adjusted: yfinance wrote the prices, and as it does by default, adjusted for dividends.
    """

    first_line: int
    columns: dict[str, int]
    unit: str | None = None
    cells: tuple[Cell, ...] = ()
    may_be_adjusted: bool = False

    @property
    def positions(self) -> list[int]:
        return sorted({*self.columns.values(), *(cell.position for cell in self.cells)})


def layout_of(dataset: Dataset, sheet: Sheet, units: Units) -> Layout:
    """The layout of a file, from its header.

    Args:
        units: the symbols or pairs of the seeds.

    Raises:
        TitansError: a column is missing or stands there twice.
    """
    layout = _layout_of(dataset, sheet, units)
    names = {_plain(name) for row in sheet.header[:2] for name in row}
    is_of_yfinance = "stock_splits" in names or ("ticker" in names and bool(layout.cells))
    return replace(layout, may_be_adjusted=dataset is Dataset.PRICES and is_of_yfinance and "adj_close" not in names)


def _layout_of(dataset: Dataset, sheet: Sheet, units: Units) -> Layout:
    header = [_plain(name) for name in sheet.header[0]]
    if dataset in (Dataset.PRICES, Dataset.FX_RATES):
        if cells := _cells_of_two_rows(dataset, sheet, units):
            return _wide(dataset, sheet, header, cells, 2)
        fields = {*_spellings(dataset, "close"), *_spellings(dataset, "rate"), *_spellings(dataset, "symbol")}
        if header[0] in _DAY_NAMES and not fields & set(header):
            cells = [Cell(position, units.named(name), "") for position, name in enumerate(sheet.header[0]) if position]
            if _names_symbols(dataset, [cell.unit for cell in cells], units):
                field = "close" if dataset is Dataset.PRICES else "rate"
                cells = [replace(cell, field=field) for cell in cells if _may_be_of(dataset, cell.unit)]
                return _wide(dataset, sheet, header, cells, 1)
    return _long(dataset, sheet, header)


def _names_symbols(dataset: Dataset, names: Sequence[str], units: Units) -> bool:
    """Whether a row of names is one of symbols or pairs. Others than those of the seeds may be among them."""
    return any(name in units.known for name in names) or (
        dataset is Dataset.PRICES and bool(meant(filter(None, names), units.known))
    )


def _may_be_of(dataset: Dataset, name: str) -> bool:
    """Whether a column may be of a symbol or pair, of the seeds or not. Any other column of a table of rates is a remark."""
    return bool(_CURRENCIES.fullmatch(name) if dataset is Dataset.FX_RATES else name)


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", "_", name.strip().lower())


def _spellings(dataset: Dataset, column: str) -> tuple[str, ...]:
    return _NAMES[dataset].get(column, (column,))


def _long(dataset: Dataset, sheet: Sheet, header: Sequence[str]) -> Layout:
    file, columns = sheet.file, {}
    derived = DERIVED.get(dataset, set())
    for column in (name for name in SCHEMAS[dataset].names if name not in derived):
        spellings = _spellings(dataset, column)
        found = [position for position, name in enumerate(header) if name in spellings]
        if column == "symbol" and len({header[position] for position in found}) > 1:
            found = [position for position in found if header[position] == "symbol"]
        if len(found) > 1:
            given = ", ".join(sheet.header[0][position] for position in found)
            raise TitansError(f"{file.path} has the column {spellings[0]} {len(found)} times ({given}): keep one.")
        if found:
            columns[column] = found[0]
    if "period_label" in columns:  # which says whether it is a year
        columns.pop("period_type", None)
    units = UNIT_COLUMNS[dataset]
    is_named = file.unit is not None and not any(unit in columns for unit in units)
    if is_named and header[0] in _DAY_NAMES and "date" in SCHEMAS[dataset].names:
        columns.setdefault("date", 0)
    wanted = [name for name in SCHEMAS[dataset].names if name not in derived | _OPTIONAL[dataset]]
    for column in wanted:
        comes_as_label = column == "period_label" and "period_type" in columns
        if column not in columns and not comes_as_label and not (is_named and column in units):
            raise TitansError(
                f"{file.path} has no column {_spellings(dataset, column)[0]}: it must have "
                f"{', '.join(_spellings(dataset, name)[0] for name in wanted)}, or another layout of docs/FILES.md."
            )
    return Layout(sheet.header_lines[0] + 1, columns, file.unit if is_named else None)


def _cells_of_two_rows(dataset: Dataset, sheet: Sheet, units: Units) -> list[Cell]:
    """The cells of a table with two header rows, a field and a symbol, in either order. None of anything else."""
    if len(sheet.header) < 2 or _NUMBER.match(sheet.header[1][0]):
        return []
    fields = {
        spelling: column.name
        for column in SCHEMAS[dataset]
        if column.type in (pa.float64(), pa.int64())
        for spelling in _spellings(dataset, column.name)
    }
    for row, other in ((0, 1), (1, 0)):
        names = [_plain(name) for name in sheet.header[row][1:]]
        symbols = [units.named(name) for name in sheet.header[other][1:]]
        if (
            names
            and len(names) == len(symbols)
            and all(name in fields or name in _IGNORED for name in names)
            and all(symbols)
            and (not any(map(_NUMBER.match, symbols)) or _names_symbols(dataset, symbols, units))
        ):
            cells = [
                Cell(position, symbol, fields[name])
                for position, (name, symbol) in enumerate(zip(names, symbols, strict=True), 1)
                if name in fields
            ]
            return cells if any(cell.field in ("close", "rate") for cell in cells) else []
    return []


def _is_index_name(row: Sequence[str]) -> bool:
    """Whether a row has the name of the index alone: pandas gives it one of its own."""
    return _plain(row[0]) in _DAY_NAMES and not any(row[1:])


def _wide(dataset: Dataset, sheet: Sheet, header: Sequence[str], cells: list[Cell], header_rows: int) -> Layout:
    ((unit, column), times), *_ = Counter((cell.unit, cell.field) for cell in cells).most_common(1)
    if times > 1:
        raise TitansError(f"{sheet.file.path} has {column} of {unit} in {times} columns: keep one.")
    has_index_name = header_rows == 2 and len(sheet.header) > 2 and _is_index_name(sheet.header[2])
    last = sheet.header_lines[header_rows if has_index_name else header_rows - 1]
    return Layout(last + 1, {"date": 0}, cells=tuple(cells))
