"""The source ``files``: what an export holds of the symbols asked for. An export is delivered whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from include.errors import TitansError
from include.limits import Limits
from include.seeds.calendars import load_calendars
from include.seeds.rows import Reference, Security
from include.sources.base import (
    DATE_COLUMN,
    PROBLEM,
    RATES,
    SCHEMAS,
    Coverage,
    CurrencyPair,
    Dataset,
    Extract,
    SymbolFailure,
    Window,
)
from include.sources.files.copy import ExportCopy, open_copy
from include.sources.files.folder import known_units

_EXPECTED = (Dataset.PRICES, Dataset.FX_RATES)
"""Where a symbol or pair without a row is a failure. The other datasets are optional."""
_NONE_CLOSED = pa.schema([("unit", pa.string()), ("last_closed", pa.date32())]).empty_table()


class FilesSource:
    """Delivers what the export in ``folder`` holds of each dataset.

    Args:
        copies: where checked copies of exports are kept.
        copy_name: the copy that the run planned with; without it, the one of the export as it is now.
        limits: of reading the export and of handing out its rows.

    Raises:
        TitansError: no folder is given. Whatever else is wrong with an export is said when it is first asked.
    """

    name = "files"
    is_incremental = False
    omitted: frozenset[str] = frozenset()

    def __init__(
        self,
        folder: Path | None,
        exported_at: datetime | None,
        reference: Reference,
        copies: Path,
        copy_name: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        if folder is None:
            raise TitansError("SOURCE=files needs FILES=<folder with prices.csv and fx_rates.csv> (TITANS_FILES_DIR).")
        self._folder = folder
        self._exported_at = exported_at
        self._reference = reference
        self._copies = copies
        self._planned = copy_name
        self._limits = limits or Limits()

    @cached_property
    def _copy(self) -> ExportCopy:
        return open_copy(self._copies, self._folder, self._reference, self._limits, self._planned)

    @property
    def copy_name(self) -> str | None:
        """The copy that is read, for later tasks of the run."""
        return self._copy.name

    def coverage(self, symbols: Sequence[str] | None = None) -> Coverage | None:
        """First and last day with a price of any of ``symbols``, or of any of the seeds. None: it has no price of them.

        A day counts if its session had closed when the export was made.

        Raises:
            TitansError: the export has no price of any symbol of the seeds, or is from before most of its prices.
        """
        wanted = self._known(Dataset.PRICES) if symbols is None else list(symbols)
        connection = self._limits.in_memory()
        connection.register("prices", self._copy.days(Dataset.PRICES))
        connection.register("closed", self._last_closed)
        connection.register("wanted", pa.table({"unit": pa.array(wanted, pa.string())}))
        first, last, latest, units, late = connection.execute(
            """select min(day), max(day) filter (day <= last_closed), max(day), count(distinct unit),
                count(distinct unit) filter (day > $latest)
            from prices inner join closed using (unit) semi join wanted using (unit)""",
            {"latest": self._exported_by + timedelta(days=1)},
        ).fetchone() or (None, None, None, 0, 0)
        if self._exported_at and late > units / 2:
            raise TitansError(
                f"EXPORTED_AT={self._exported_at.date()} is before the last date of "
                f"{self._name_of(Dataset.PRICES)}, {latest}: say when the export was made."
            )
        if last is None and symbols is None:
            raise TitansError(self._nothing())
        return Coverage(first, last) if last else None

    def _nothing(self) -> str:
        """The sentence about an export without a price that could be used."""
        name = self._folder / self._name_of(Dataset.PRICES)
        (stranger,) = [unit for unit in self._copy.strangers(Dataset.PRICES)["unit"].to_pylist() if unit][:1] or [None]
        if stranger is None:
            return f"{name} has no row that could be used: export prices into it."
        guess = next(
            (unit for unit, given in self._copy.contents.misspelt[Dataset.PRICES].items() if given == stranger), None
        )
        return (
            f"{name} has no row of a symbol of securities.csv, but of {stranger}"
            f"{f' (did you mean {guess}?)' if guess else ''}: write symbols as in securities.csv, or add them there. "
            "A file without a column of symbols is of the one that it is named after."
        )

    @cached_property
    def fetched_at(self) -> datetime:
        """``EXPORTED_AT``; without it now, as the delivery lands."""
        return self._exported_at or datetime.now(UTC)

    @cached_property
    def _last_closed(self) -> pa.Table:
        """Of each symbol the day of the last session that had closed when the export was made.

        A calendar that begins later has none: raw says of each row what is wrong with it.
        """
        calendars = load_calendars(self._reference)
        closed = {exchange: calendar.last_closed(self.fetched_at) for exchange, calendar in calendars.items()}
        made_on = self.fetched_at.date()
        days = [session.date if (session := closed[row.exchange]) else made_on for row in self._reference.securities]
        return pa.table(
            {"unit": [row.symbol for row in self._reference.securities], "last_closed": pa.array(days, pa.date32())}
        )

    @cached_property
    def _last_day(self) -> date:
        """The day whose splits the prices include; no row may be of a later one.

        Without ``EXPORTED_AT`` it is the last price date in the folder, and not after today.
        """
        if self._exported_at:
            return self._exported_at.date()
        coverage = self.coverage()
        assert coverage is not None, "an export without prices has been refused"
        return coverage.last

    @property
    def _exported_by(self) -> date:
        """No row may be of a later day. Without ``EXPORTED_AT``, today."""
        return self.fetched_at.date()

    def prices(self, securities: Sequence[Security], window: Window) -> Extract:
        return self._deliver(Dataset.PRICES, [security.symbol for security in securities], window)

    def shares(self, securities: Sequence[Security], window: Window) -> Extract:
        return self._deliver(Dataset.SHARES, [security.symbol for security in securities], window)

    def estimates(self, securities: Sequence[Security], window: Window) -> Extract:
        return self._deliver(Dataset.ESTIMATES, [security.symbol for security in securities], window)

    def fx_rates(self, pairs: Sequence[CurrencyPair], window: Window) -> Extract:
        return self._deliver(Dataset.FX_RATES, [pair.name for pair in pairs], window)

    def fundamentals(self, securities: Sequence[Security], window: Window) -> Extract:
        return self._deliver(Dataset.FUNDAMENTALS, [security.symbol for security in securities], window)

    def risk_free(self, currencies: Sequence[str], window: Window) -> Extract:
        return self._deliver(Dataset.RISK_FREE, currencies, window)

    def offered(self, dataset: Dataset, units: Sequence[str]) -> list[str]:
        return list(units) if dataset in self._copy.contents.files else []

    def _deliver(self, dataset: Dataset, units: Sequence[str], window: Window) -> Extract:
        """Rows of ``units`` in the window, and those from after the export, which raw rejects for all to see.

        Rows of unknown symbols come with the first symbol of the seeds, so that raw rejects them once.
        """
        if dataset not in self._copy.contents.files:
            return Extract(SCHEMAS[dataset].empty_table(), self.fetched_at, last_day=self._last_day)
        # What is said of companies is asked for of equities only.
        is_of_equities = dataset in (Dataset.SHARES, Dataset.ESTIMATES, Dataset.FUNDAMENTALS)
        known = [row.symbol for row in self._reference.equities] if is_of_equities else self._known(dataset)
        is_first = any(unit in units for unit in known[:1])
        rows = self._copy.rows_of(dataset, units)
        strangers = self._copy.strangers(dataset) if is_first else rows.slice(0, 0)
        connection = self._limits.in_memory()
        connection.register("rows", rows)
        connection.register("strangers", strangers)
        connection.register("closed", self._last_closed if dataset is Dataset.PRICES else _NONE_CLOSED)
        day = DATE_COLUMN[dataset]
        basis = ", $last_day::date as basis_date"
        if "basis_date" in rows.column_names:
            basis = "replace (coalesce(basis_date, $last_day::date) as basis_date)"
        delivered = connection.execute(
            f"""
            select * {basis}
            from (from rows union all by name from strangers where $all_strangers or unit is null or problem is not null)
            left join closed using (unit)
            where {day} is null or {day} between $start and $end or {day} > coalesce(last_closed, $exported_by)
            order by unit, {day}, file, line
            """,
            {
                "last_day": self._last_day,
                "all_strangers": dataset not in RATES,
                "start": window.start or date.min,
                "end": window.end,
                "exported_by": self._exported_by,
            },
        ).to_arrow_table()
        notes = _notes(connection, delivered)
        schema = SCHEMAS[dataset].append(PROBLEM) if notes else SCHEMAS[dataset]
        found = set(pc.unique(delivered["unit"]).to_pylist())
        left_out = [
            f"{file.reason} The other files count."
            for file in self._copy.contents.unread[dataset]
            if file.unit in found & set(units) or (is_first and file.unit not in known)
        ]
        return Extract(
            delivered.select(schema.names).cast(schema),
            self.fetched_at,
            self._missing(dataset, units, found) if dataset in _EXPECTED else [],
            {unit: self._name_of(dataset, unit) for unit in units},
            self._last_day,
            [*(self._adjusted() if dataset is Dataset.PRICES and is_first else []), *left_out, *notes],
        )

    def _adjusted(self) -> list[str]:
        """A sentence about files of yfinance whose closes are probably adjusted for dividends."""
        names = self._copy.contents.adjusted
        more = f" and {len(names) - 1:,} more files" if len(names) > 1 else ""
        return [
            f"{name}{more}: no column Adj Close. yfinance then writes closes that are adjusted for dividends, so price "
            "returns include them and total returns count them twice. Download with auto_adjust=False."
            for name in names[:1]
        ]

    def _missing(self, dataset: Dataset, units: Sequence[str], found: set[str]) -> list[SymbolFailure]:
        contents = self._copy.contents
        unread = {file.unit: file.reason for file in contents.unread.get(dataset, [])}
        misspelt = contents.misspelt.get(dataset, {})
        what = "rate" if dataset is Dataset.FX_RATES else "row"
        failures = []
        for unit in (unit for unit in units if unit not in found):
            reason = f"{self._name_of(dataset, unit)} has no {what} for {unit} in the window"
            if unit in misspelt:
                reason += f", but of {misspelt[unit]!r}: " + (
                    f"give units of {unit[3:]} for one {unit[:3]}, as {unit}"
                    if dataset is Dataset.FX_RATES
                    else f"did you mean {unit}?"
                )
            failures.append(SymbolFailure(unit, unread.get(unit, reason), is_retryable=False))
        return failures

    def _known(self, dataset: Dataset) -> list[str]:
        return known_units(dataset, self._reference)

    @cached_property
    def _own_files(self) -> dict[Dataset, dict[str | None, str]]:
        """Of each dataset the file of each symbol that has its own; of several the first."""
        return {
            dataset: {unit: name for name, unit in reversed(names.items()) if unit}
            for dataset, names in self._copy.contents.files.items()
        }

    @cached_property
    def _in_one_file(self) -> set[Dataset]:
        """The datasets of which one file is all, unless it is that of one symbol."""
        return {
            dataset
            for dataset, names in self._copy.contents.files.items()
            if len(names) == 1 and not {*names.values()} & {*self._known(dataset)}
        }

    def _name_of(self, dataset: Dataset, unit: str | None = None) -> str:
        """The file that holds, or should hold, a symbol; of many files their folder."""
        names = self._copy.contents.files[dataset]
        first = next(iter(names))
        if unit in self._own_files[dataset]:
            return self._own_files[dataset][unit]
        if len(names) == 1 and (unit is None or dataset in self._in_one_file):
            return first
        return f"{dataset}/" if "/" in first else str(self._folder)


def _notes(connection: duckdb.DuckDBPyConnection, delivered: pa.Table) -> list[str]:
    """Which rows cannot be used, a sentence a file."""
    connection.register("delivered", delivered)
    rows = connection.execute(
        """select file, count(*), min(line), arg_min(unit, line), arg_min(problem, line) from delivered
        where problem is not null group by file order by file"""
    ).fetchall()
    return [
        f"{file}, line {line}{f' ({unit})' if unit else ''}: {problem}{'' if problem.endswith('?') else '.'} "
        + (f"This row and {count - 1:,} more are set aside" if count > 1 else "This row is set aside")
        + ", the others count. Correct the export."
        for file, count, line, unit, problem in rows
    ]
