"""The sample source behind the protocol of the sources."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa

from include.seeds.calendars import SessionCalendar, load_calendars
from include.seeds.rows import Reference, Security
from include.sources.base import SCHEMAS, Coverage, CurrencyPair, Dataset, Extract, SymbolFailure, Window
from include.sources.sample import facts
from include.sources.sample.fundamentals import estimate_rows, share_rows
from include.sources.sample.fx import fx_rows
from include.sources.sample.prices import price_rows
from include.sources.sample.risk_free import risk_free_rows

FETCHED_AT = datetime(2025, 3, 8, tzinfo=UTC)
"""Fixed, and after the last simulated close: a second run delivers the same version of every row."""


class SampleSource:
    """Simulated prices, FX and risk-free rates, share counts and estimates of the default baskets, 2020-12-31 to 2025-03-07.

    Every value follows from the tables of facts, the sessions of the exchanges and hashes of symbol and day. So it is
    the same on every machine and in every run, whatever window is asked for. It needs neither network nor file.

    Args:
        reference: exchanges and calendar overrides.
    """

    name = "sample"
    is_incremental = True
    omitted = frozenset({"^HSI"})
    copy_name: str | None = None

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    @cached_property
    def _calendars(self) -> dict[str, SessionCalendar]:
        return load_calendars(self._reference)

    def coverage(self, symbols: Sequence[str] | None = None) -> Coverage | None:
        """The simulated days; None if not one of ``symbols`` is simulated."""
        if symbols is not None and not any(symbol in facts.instruments() for symbol in symbols):
            return None
        return Coverage(facts.FIRST_DAY, facts.LAST_DAY)

    def prices(self, securities: Sequence[Security], window: Window) -> Extract:
        """Daily prices on the sessions of each security's exchange, split-adjusted to the last simulated day."""
        exchanges = {security.symbol: security.exchange for security in securities}

        def rows(symbol: str) -> Iterable[tuple[Any, ...]]:
            sessions = self._calendars[exchanges[symbol]].between(facts.FIRST_DAY, facts.LAST_DAY)
            return price_rows(symbol, sessions, window)

        return self._extract(Dataset.PRICES, exchanges, facts.instruments(), "", rows)

    def fx_rates(self, pairs: Sequence[CurrencyPair], window: Window) -> Extract:
        """Daily reference rates on weekdays, without the closing days of TARGET."""
        names = [pair.name for pair in pairs]
        return self._extract(Dataset.FX_RATES, names, facts.fx_pairs(), "", lambda name: fx_rows(name, window))

    def shares(self, securities: Sequence[Security], window: Window) -> Extract:
        """Share counts at quarter ends."""
        symbols = [security.symbol for security in securities]
        return self._extract(
            Dataset.SHARES, symbols, facts.companies(), "share counts of ", lambda symbol: share_rows(symbol, window)
        )

    def estimates(self, securities: Sequence[Security], window: Window) -> Extract:
        """Consensus EPS of the running and the next fiscal year, one snapshot each Monday."""
        symbols = [security.symbol for security in securities]
        return self._extract(
            Dataset.ESTIMATES, symbols, facts.companies(), "estimates of ", lambda symbol: estimate_rows(symbol, window)
        )

    def risk_free(self, currencies: Sequence[str], window: Window) -> Extract:
        """Daily discounts of US bills of 13 weeks, and yields of three months in Hong Kong, on the days of the FX rates."""
        return self._extract(
            Dataset.RISK_FREE,
            currencies,
            facts.risk_free_series(),
            "risk-free rates of ",
            lambda currency: risk_free_rows(currency, window),
        )

    def offered(self, dataset: Dataset, units: Sequence[str]) -> list[str]:
        """All of them, and of risk-free rates the currencies that are simulated."""
        return [unit for unit in units if dataset is not Dataset.RISK_FREE or unit in facts.risk_free_series()]

    def _extract(
        self,
        dataset: Dataset,
        names: Collection[str],
        simulated: Mapping[str, object],
        what: str,
        rows_of: Callable[[str], Iterable[tuple[Any, ...]]],
    ) -> Extract:
        asked = [name for name in names if name not in self.omitted]
        kind = {Dataset.FX_RATES: "currency pairs", Dataset.RISK_FREE: "currencies"}.get(dataset, "symbols")
        failures = [
            SymbolFailure(
                name,
                f"the sample source simulates {what}{len(simulated)} {kind} and {name} is not one of them: "
                "use SOURCE=files or SOURCE=yahoo",
                is_retryable=False,
            )
            for name in asked
            if name not in simulated
        ]
        rows = [row for name in asked if name in simulated for row in rows_of(name)]
        return Extract(_table(dataset, rows), FETCHED_AT, failures)


def _table(dataset: Dataset, rows: list[tuple[Any, ...]]) -> pa.Table:
    schema = SCHEMAS[dataset]
    if not rows:
        return schema.empty_table()
    columns = zip(*rows, strict=True)
    return pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )
