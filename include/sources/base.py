"""The one protocol of the sources, and the fixed schemas of what they deliver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

from include.seeds.rows import Reference, Security


class Dataset(StrEnum):
    """What a source can deliver; also the folder names of landing and the table names of raw."""

    PRICES = "prices"
    FX_RATES = "fx_rates"
    SHARES = "shares"
    ESTIMATES = "estimates"
    RISK_FREE = "risk_free"


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns])


SCHEMAS: dict[Dataset, pa.Schema] = {
    # Prices are split-adjusted to basis_date, never for dividends. No dividend or split is NULL or 0.
    # An index may have a close only.
    Dataset.PRICES: _schema(
        ("symbol", pa.string()),
        ("date", pa.date32()),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.int64()),
        ("dividend", pa.float64()),
        ("dividend_currency", pa.string()),
        ("split_ratio", pa.float64()),
        ("currency", pa.string()),
        ("basis_date", pa.date32()),
    ),
    # rate: units of quote_currency for one base_currency.
    Dataset.FX_RATES: _schema(
        ("base_currency", pa.string()), ("quote_currency", pa.string()), ("date", pa.date32()), ("rate", pa.float64())
    ),
    # All share classes together. note: the vendor's own reference.
    Dataset.SHARES: _schema(
        ("symbol", pa.string()),
        ("as_of", pa.date32()),
        ("shares_outstanding", pa.float64()),
        ("share_class", pa.string()),
        ("note", pa.string()),
        ("basis_date", pa.date32()),
    ),
    # metric: eps. period_type: annual or quarter. period_label: the vendor's (0y, +1y, 0q, +1q).
    # period_end: the fiscal period's last day.
    Dataset.ESTIMATES: _schema(
        ("symbol", pa.string()),
        ("as_of", pa.date32()),
        ("metric", pa.string()),
        ("period_type", pa.string()),
        ("period_end", pa.date32()),
        ("period_label", pa.string()),
        ("mean", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("analyst_count", pa.int64()),
        ("currency", pa.string()),
        ("note", pa.string()),
        ("basis_date", pa.date32()),
    ),
    # tenor: 91d, 13w, 3m or 1y. rate: a fraction a year. quote_basis: yield, or discount as of bills.
    Dataset.RISK_FREE: _schema(
        ("currency", pa.string()),
        ("tenor", pa.string()),
        ("date", pa.date32()),
        ("rate", pa.float64()),
        ("quote_basis", pa.string()),
        ("note", pa.string()),
    ),
}

RATES = (Dataset.FX_RATES, Dataset.RISK_FREE)
"""Of currencies. Rates of others than those in use are no mistake."""

PROBLEM = pa.field("problem", pa.string())
"""What a source itself found wrong with a row, so that raw rejects it: a column that a table has where there is any."""

KEY_COLUMNS: dict[Dataset, tuple[str, ...]] = {
    Dataset.PRICES: ("symbol", "date"),
    Dataset.FX_RATES: ("base_currency", "quote_currency", "date"),
    Dataset.SHARES: ("symbol", "as_of"),
    Dataset.ESTIMATES: ("symbol", "as_of", "metric", "period_type", "period_end"),
    Dataset.RISK_FREE: ("currency", "tenor", "date"),
}
"""The columns that name a row."""
UNIT_COLUMNS: dict[Dataset, tuple[str, ...]] = {
    Dataset.PRICES: ("symbol",),
    Dataset.FX_RATES: ("base_currency", "quote_currency"),
    Dataset.SHARES: ("symbol",),
    Dataset.ESTIMATES: ("symbol",),
    Dataset.RISK_FREE: ("currency",),
}
"""The columns that name what is asked for: a symbol, a currency pair or a currency."""
DATE_COLUMN = {
    Dataset.PRICES: "date",
    Dataset.FX_RATES: "date",
    Dataset.SHARES: "as_of",
    Dataset.ESTIMATES: "as_of",
    Dataset.RISK_FREE: "date",
}
"""The column that a window bounds."""


@dataclass(frozen=True)
class Window:
    """Days asked for, both ends included. Without ``start``: all history the source has."""

    start: date | None
    end: date


@dataclass(frozen=True)
class CurrencyPair:
    base: str
    quote: str

    @property
    def name(self) -> str:
        return f"{self.base}{self.quote}"


@dataclass(frozen=True)
class SymbolFailure:
    """One symbol (currency pair, or currency) that could not be delivered, and why, in a sentence.

    Attributes:
        not_before: before that moment the vendor is not asked again, so another attempt of the same run is of no use.
    """

    symbol: str
    reason: str
    is_retryable: bool = True
    not_before: datetime | None = None


@dataclass(frozen=True)
class Extract:
    """One answer of a source.

    Attributes:
        table: rows in the dataset's schema, and ``PROBLEM`` where any has one; only symbols that succeeded.
        fetched_at: when the vendor answered (UTC); orders the versions of a row, before the time of landing.
        failures: symbols that did not succeed; they never cost the others.
        addresses: where each symbol was asked for: host and path, or a file. No query string: it may hold a secret.
        last_day: no row may be of a later day. None: the day of ``fetched_at``.
        notes: sentences for the person who delivered, about rows that cannot be used.
    """

    table: pa.Table
    fetched_at: datetime
    failures: list[SymbolFailure] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    last_day: date | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Coverage:
    """First and last day of which a closed source (sample, files) holds prices."""

    first: date
    last: date


class Source(Protocol):
    """A vendor. Methods raise TitansError only where no symbol at all can be served."""

    name: str
    is_incremental: bool
    """A live vendor, asked symbol by symbol for what is new. Other sources deliver everything at once, each time."""
    omitted: frozenset[str]
    """Symbols that the source deliberately does not offer; asking for them is not a failure."""

    @property
    def copy_name(self) -> str | None:
        """The copy of an export that a run keeps to, whatever becomes of the export meanwhile. None: there is none."""

    def coverage(self, symbols: Sequence[str] | None = None) -> Coverage | None:
        """First and last day with a price of any of ``symbols`` (default: of anything), or None for a live vendor."""

    def prices(self, securities: Sequence[Security], window: Window) -> Extract: ...

    def fx_rates(self, pairs: Sequence[CurrencyPair], window: Window) -> Extract: ...

    def shares(self, securities: Sequence[Security], window: Window) -> Extract: ...

    def estimates(self, securities: Sequence[Security], window: Window) -> Extract:
        """Snapshots with ``as_of`` in the window. A live vendor has only today's: it refuses older windows."""

    def risk_free(self, currencies: Sequence[str], window: Window) -> Extract:
        """Rates of money that is lent without risk, by currency, tenor and day."""

    def offered(self, dataset: Dataset, units: Sequence[str]) -> list[str]:
        """Those of ``units`` for which this source may have an optional dataset. The others are not asked for."""


BASE_CURRENCY = "USD"


def currency_pairs(reference: Reference) -> list[CurrencyPair]:
    """US dollars against each currency that a security trades or reports in. Of a minor unit, its major currency."""
    named = {code for row in reference.securities for code in (row.currency, row.reporting_currency) if code}
    currencies = {reference.major_unit(code)[0] for code in named}
    return [CurrencyPair(BASE_CURRENCY, currency) for currency in sorted(currencies - {BASE_CURRENCY})]


def risk_free_currencies(reference: Reference) -> list[str]:
    """The currencies in which returns are measured: US dollars and those of prices, without minor units."""
    return sorted({BASE_CURRENCY, *(reference.major_unit(row.currency)[0] for row in reference.securities)})
