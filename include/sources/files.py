"""A folder of CSV or Parquet files that the user's own vendor exported."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa

from include.errors import TitansError
from include.seeds.rows import Reference, Security
from include.sources.base import (
    DATE_COLUMN,
    SCHEMAS,
    Coverage,
    CurrencyPair,
    Dataset,
    Extract,
    SymbolFailure,
    Window,
    currency_pairs,
)

# Column name in the file -> column name in the schema, where they differ; then what a file may leave out.
_RENAMED = {Dataset.ESTIMATES: {"period": "period_label", "source": "note"}, Dataset.SHARES: {"source": "note"}}
_OPTIONAL = {
    Dataset.PRICES: {"open", "high", "low", "volume", "dividend", "dividend_currency", "split_ratio"},
    Dataset.FX_RATES: set[str](),
    Dataset.SHARES: {"share_class", "note"},
    Dataset.ESTIMATES: {"low", "high", "analyst_count", "note"},
}
_DERIVED = {"basis_date", "period_type"}
_MOST_STRANGERS = 100_000
_TYPE_NAMES = {"DATE": "a date such as 2025-03-07", "DOUBLE": "a number", "BIGINT": "a whole number"}


class FilesSource:
    """Reads ``prices``, ``fx_rates``, ``shares`` and ``estimates`` from ``folder``. An export is delivered whole.

    Raises:
        TitansError: no folder is given, or it cannot be read or lacks a file.
    """

    name = "files"
    is_incremental = False
    omitted: frozenset[str] = frozenset()

    def __init__(self, folder: Path | None, exported_at: datetime | None, reference: Reference) -> None:
        if folder is None:
            raise TitansError("SOURCE=files needs FILES=<folder with prices.csv and fx_rates.csv> (TITANS_FILES_DIR).")
        self._folder = folder
        self._exported_at = exported_at
        self._reference = reference
        try:
            names = {path.name for path in self._folder.iterdir()}
        except OSError as error:
            raise TitansError(
                f"FILES={self._folder} cannot be read ({error.strerror}): give a folder that exists and may be read."
            ) from error
        self._paths = {
            dataset: self._folder / f"{dataset}.{ending}"
            for dataset in Dataset
            for ending in ("csv", "parquet")
            if f"{dataset}.{ending}" in names
        }
        for dataset in (Dataset.PRICES, *((Dataset.FX_RATES,) if currency_pairs(reference) else ())):
            if dataset not in self._paths:
                raise TitansError(
                    f"FILES={self._folder} holds no {dataset}.csv or {dataset}.parquet: "
                    "export it there or give another folder."
                )

    @cached_property
    def _tables(self) -> dict[Dataset, pa.Table]:
        tables = {dataset: _read(dataset, path) for dataset, path in self._paths.items()}
        for dataset in set(tables) - {Dataset.FX_RATES}:
            self._refuse_a_file_of_strangers(self._paths[dataset], tables[dataset])
        return tables

    def _refuse_a_file_of_strangers(self, path: Path, table: pa.Table) -> None:
        """Raw rejects rows of unknown symbols one by one. That is no use for millions of them."""
        connection = duckdb.connect()
        connection.register("export", table)
        known = [security.symbol for security in self._reference.securities]
        (strangers, first) = connection.execute(
            "select count(*), min(symbol) from export where symbol is not null and not list_contains(?, symbol)",
            [known],
        ).fetchone() or (0, None)
        if strangers > _MOST_STRANGERS:
            raise TitansError(
                f"{path} has {strangers:,} rows of symbols that securities.csv does not have (first {first!r}), "
                f"of {table.num_rows:,} in all: export the securities of securities.csv only, or add the others there. "
                f"Up to {_MOST_STRANGERS:,} such rows are rejected one by one."
            )

    def coverage(self, symbols: Sequence[str] | None = None) -> Coverage | None:
        """First and last price date in the folder, of any of ``symbols`` or of all. None: it has no price of them.

        Raises:
            TitansError: the prices file has no row at all.
        """
        connection = duckdb.connect()
        connection.register("export", self._tables[Dataset.PRICES])
        wanted = None if symbols is None else list(symbols)
        first, last = connection.execute(
            "select min(date), max(date) from export where $wanted is null or list_contains($wanted, symbol)",
            {"wanted": wanted},
        ).fetchone() or (None, None)
        if last is None and wanted is None:
            raise TitansError(f"{self._paths[Dataset.PRICES]} has no row: export prices into it.")
        if last and self._exported_at and last > self._exported_at.date() + timedelta(days=1):
            raise TitansError(
                f"EXPORTED_AT={self._exported_at.date()} is before the last date of "
                f"{self._paths[Dataset.PRICES].name}, {last}: say when the export was made."
            )
        return Coverage(first, last) if last else None

    @cached_property
    def fetched_at(self) -> datetime:
        """``EXPORTED_AT``; without it now, as the delivery lands."""
        return self._exported_at or datetime.now(UTC)

    @cached_property
    def _last_day(self) -> date:
        """The day whose splits the prices include; no row may be of a later one.

        Without ``EXPORTED_AT`` it is the last price date in the folder, and not after today.
        """
        if self._exported_at:
            return self._exported_at.date()
        coverage = self.coverage()
        assert coverage is not None, "an empty prices file has been refused"
        return min(coverage.last, datetime.now(UTC).date())

    def prices(self, securities: Sequence[Security], window: Window) -> Extract:
        return self._deliver(Dataset.PRICES, securities, window, is_missing_a_failure=True)

    def shares(self, securities: Sequence[Security], window: Window) -> Extract:
        return self._deliver(Dataset.SHARES, securities, window)

    def estimates(self, securities: Sequence[Security], window: Window) -> Extract:
        return self._deliver(Dataset.ESTIMATES, securities, window)

    def fx_rates(self, pairs: Sequence[CurrencyPair], window: Window) -> Extract:
        wanted = [(pair.base, pair.quote) for pair in pairs]
        rows = [
            row
            for row in self._tables[Dataset.FX_RATES].to_pylist()
            if (row["base_currency"], row["quote_currency"]) in wanted and self._is_due(row["date"], window)
        ]
        found = {(row["base_currency"], row["quote_currency"]) for row in rows}
        failures = [
            SymbolFailure(
                pair.name, f"{self._paths[Dataset.FX_RATES].name} has no rate for {pair.name} in the window", False
            )
            for pair in pairs
            if (pair.base, pair.quote) not in found
        ]
        addresses = {pair.name: self._paths[Dataset.FX_RATES].name for pair in pairs}
        return Extract(
            pa.Table.from_pylist(rows, schema=SCHEMAS[Dataset.FX_RATES]),
            self.fetched_at,
            failures,
            addresses,
            self._last_day,
        )

    @property
    def _exported_by(self) -> date:
        """No row may be of a later day. Without ``EXPORTED_AT``, today."""
        return (self._exported_at or datetime.now(UTC)).date()

    def _is_due(self, day: date | None, window: Window) -> bool:
        return day is None or (window.start or date.min) <= day <= window.end or day > self._exported_by

    def _deliver(
        self,
        dataset: Dataset,
        securities: Sequence[Security],
        window: Window,
        is_missing_a_failure: bool = False,
    ) -> Extract:
        """Rows of ``securities`` in the window, and those from after the export, which raw rejects for all to see.

        Rows of symbols that no seed knows come with the first security, so that raw rejects them once.
        """
        if dataset not in self._tables:
            return Extract(SCHEMAS[dataset].empty_table(), self.fetched_at, last_day=self._last_day)
        date_column = DATE_COLUMN[dataset]
        symbols = {security.symbol for security in securities}
        known = {security.symbol for security in self._reference.securities}
        takes_strangers = self._reference.securities[0] in securities
        connection = duckdb.connect()
        connection.register("export", self._tables[dataset])
        rows = connection.execute(
            f"""
            select *, $exported_on::date as basis_date from export
            where (symbol in $symbols or ($takes_strangers and symbol not in $known))
              and ({date_column} is null or {date_column} between $start and $end or {date_column} > $exported_by)
            """,
            {
                "exported_on": self._last_day,
                "exported_by": self._exported_by,
                "symbols": sorted(symbols),
                "known": sorted(known),
                "takes_strangers": takes_strangers,
                "start": window.start or date.min,
                "end": window.end,
            },
        ).to_arrow_table()
        rows = rows.select(SCHEMAS[dataset].names).cast(SCHEMAS[dataset])
        failures = []
        if is_missing_a_failure:
            found = set(rows.column("symbol").to_pylist())
            failures = [
                SymbolFailure(
                    symbol, f"{self._paths[dataset].name} has no row for {symbol} in the window", is_retryable=False
                )
                for symbol in sorted(symbols - found)
            ]
        addresses = dict.fromkeys(symbols, self._paths[dataset].name)
        return Extract(rows, self.fetched_at, failures, addresses, self._last_day)


def _read(dataset: Dataset, path: Path) -> pa.Table:
    """The file in the schema's columns and types.

    Raises:
        TitansError: names the file, and the column that is missing or the line and the value that is not of its type.
    """
    literal = str(path).replace("'", "''")
    reader = (
        f"read_csv('{literal}', header = true, all_varchar = true)"
        if path.suffix == ".csv"
        else f"read_parquet('{literal}')"
    )
    connection = duckdb.connect()
    try:
        connection.execute(f"create temp table file as select row_number() over () + 1 as line_number, * from {reader}")
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        wanted = (
            "UTF-8 text with a header, commas and a point for decimals"
            if path.suffix == ".csv"
            else "a whole Parquet file"
        )
        raise TitansError(
            f"{path} cannot be read as {path.suffix[1:].upper()} ({first_line}): export it again, as {wanted}."
        ) from error
    present = {row[0] for row in connection.execute("describe file").fetchall()}
    renamed = {target: given for given, target in _RENAMED.get(dataset, {}).items()}
    selected = []
    for column in SCHEMAS[dataset]:
        if column.name in _DERIVED:
            continue
        given = renamed.get(column.name, column.name)
        kind = {"string": "VARCHAR", "date32[day]": "DATE", "double": "DOUBLE", "int64": "BIGINT"}[str(column.type)]
        if given not in present:
            if column.name not in _OPTIONAL[dataset]:
                raise TitansError(
                    f"{path} has no column {given}: it must have {', '.join(_file_columns(dataset, renamed))}."
                )
            selected.append(f"null::{kind} as {column.name}")
            continue
        bad = connection.execute(
            f"""select line_number, {given} from file
            where {given} is not null and trim({given}::varchar) <> '' and try_cast({given} as {kind}) is null
            order by line_number limit 1"""
        ).fetchone()
        if bad:
            raise TitansError(
                f"{path}, line {bad[0]}: {given} is {bad[1]!r}, which is not {_TYPE_NAMES[kind]}. Correct the export."
            )
        selected.append(f"try_cast({given} as {kind}) as {column.name}")
    if dataset is Dataset.ESTIMATES:
        selected.append(
            """case when right(period, 1) = 'q' then 'quarter' when right(period, 1) = 'y' then 'annual' end
            as period_type"""
        )
    return connection.execute(f"select {', '.join(selected)} from file order by line_number").to_arrow_table()


def _file_columns(dataset: Dataset, renamed: dict[str, str]) -> list[str]:
    """Columns that a file of ``dataset`` must have, under the names of the file."""
    names = (name for name in SCHEMAS[dataset].names if name not in _DERIVED | _OPTIONAL[dataset])
    return [renamed.get(name, name) for name in names]
