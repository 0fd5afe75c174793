"""The rows of the seed CSVs, each seed a typed model, and all of them together as one ``Reference``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveFloat,
    StringConstraints,
)


def _strict_date(value: object) -> object:
    """Python also reads 20250307 and 2025-W10-5, which dbt does not."""
    if not isinstance(value, str):
        return value
    day = date.fromisoformat(value)
    if day.isoformat() != value:
        raise ValueError("write it as 2025-03-07")
    return day


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("no such time zone: write it as in Asia/Hong_Kong") from error
    return name


def _cron_line(text: str) -> str:
    from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]  # its types are no dependency; what Airflow reads cron lines with

    if len(text.split()) != 5 or not croniter.is_valid(text):
        raise ValueError("no cron line: write five fields, as in 30 17 * * 1-5")
    try:
        croniter(text).get_next()
    except CroniterBadDateError as error:
        raise ValueError("no day fits this cron line: write one as in 30 17 * * 1-5") from error
    return text


def _whole_isin(code: str) -> str:
    """Letters count as 10 to 35, and every second digit from the right twice (ISO 6166)."""
    digits = "".join(str(int(character, 36)) for character in code)
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(digits))]
    if sum(value // 10 + value % 10 for value in doubled) % 10:
        raise ValueError("its check digit is wrong: copy it again")
    return code


# Spaces at an end are refused and not stripped: dbt would load them, and nothing would match.
Text = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$")]


Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9^][A-Za-z0-9.^=_&-]*(/[A-Za-z0-9]+)?$", max_length=32)]


MajorCurrency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$")]
"""A major currency, or one of the seed minor_units, whose codes are the vendors' (GBp)."""


CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


Isin = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[A-Z0-9]{9}[0-9]$"), AfterValidator(_whole_isin)]


Day = Annotated[date, BeforeValidator(_strict_date)]


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    may_lack: ClassVar[frozenset[str]] = frozenset()
    """Columns that the file need not have, because files of an earlier version do not."""


class MinorUnit(Row):
    """A unit that an exchange quotes in and nobody converts by itself: its exchange rate is the major currency's."""

    currency: CurrencyCode
    major_currency: MajorCurrency
    units_per_major: PositiveFloat


class Exchange(Row):
    exchange: Text
    market: Identifier
    name: Text
    calendar: Text
    timezone: Annotated[Text, AfterValidator(_known_zone)]
    ingest_cron: Annotated[Text, AfterValidator(_cron_line)]
    """When prices of a session are fetched, in the exchange's own time."""
    benchmark_symbol: Symbol | None = None
    """The index over which the excess return of the exchange's equities is taken."""


class Security(Row):
    may_lack: ClassVar[frozenset[str]] = frozenset({"sector", "country", "isin"})

    symbol: Symbol
    name: Text
    kind: Literal["equity", "index"]
    exchange: Text
    currency: CurrencyCode
    reporting_currency: CurrencyCode | None = None
    """Currency of the company's accounts and so, as a rule, of its estimates: its FX rate is fetched too."""
    sector: Text | None = None
    country: CountryCode | None = None
    """Of risk: where the company does its business, wherever it is listed or registered."""
    isin: Isin | None = None


class Basket(Row):
    basket_id: Identifier
    name: Text
    weighting: Literal["equal", "market_value"]
    rebalance: Literal["none", "daily", "monthly", "quarterly", "annual"]
    base_date: Day | None = None
    comparator_basket_id: Identifier | None = None


class BasketPair(Row):
    """A pair to compare beside those of baskets and their comparators: the first in terms of the second."""

    basket_id: Identifier
    comparator_basket_id: Identifier


class BasketMember(Row):
    basket_id: Identifier
    symbol: Symbol
    valid_from: Day | None = None
    valid_to: Day | None = None


class MarketEvent(Row):
    may_lack: ClassVar[frozenset[str]] = frozenset({"source"})

    event_id: Identifier
    name: Text
    date: Day
    description: Text
    source: Text | None = None


class IndexHeadline(Row):
    symbol: Symbol
    measure: Text


class PressClaim(Row):
    may_lack: ClassVar[frozenset[str]] = frozenset({"source"})

    claim_id: Identifier
    claim_date: Day
    subject: Text
    """A basket, a symbol, or a pair of baskets that is compared: ``one vs other``."""
    measure: Text
    comparison: Literal["about", "more_than", "less_than", "at_least", "at_most", "in_year"]
    claimed_value: FiniteFloat
    tolerance: Annotated[FiniteFloat, Field(ge=0)]
    unit: Literal["ratio", "usd", "times", "year"]
    statement: Text
    source: Text | None = None


class VendorCorrection(Row):
    symbol: Symbol
    date: Day
    field: Literal["close", "dividend", "special_dividend", "split_ratio"]
    value: FiniteFloat
    currency: CurrencyCode | None = None
    known_from: Day
    reason: Text
    source: Text


class CalendarOverride(Row):
    exchange: Text
    date: Day
    is_session: bool
    reason: Text


@dataclass(frozen=True)
class Reference:
    """All seeds, in file order."""

    exchanges: tuple[Exchange, ...]
    securities: tuple[Security, ...]
    baskets: tuple[Basket, ...]
    basket_members: tuple[BasketMember, ...]
    basket_pairs: tuple[BasketPair, ...]
    market_events: tuple[MarketEvent, ...]
    index_headlines: tuple[IndexHeadline, ...]
    press_claims: tuple[PressClaim, ...]
    vendor_corrections: tuple[VendorCorrection, ...]
    calendar_overrides: tuple[CalendarOverride, ...]
    minor_units: tuple[MinorUnit, ...]

    @property
    def compared(self) -> frozenset[tuple[str, str]]:
        """Each basket with the one that it is compared with: its comparator, or another one of basket_pairs."""
        comparators = {(row.basket_id, row.comparator_basket_id) for row in self.baskets if row.comparator_basket_id}
        return frozenset(comparators | {(row.basket_id, row.comparator_basket_id) for row in self.basket_pairs})

    @property
    def equities(self) -> tuple[Security, ...]:
        return tuple(security for security in self.securities if security.kind == "equity")

    def major_unit(self, currency: str) -> tuple[str, float]:
        """The major currency of ``currency``, which may be one already, and how many of ``currency`` make one of it: GBP and 100 for GBp."""
        return next(
            ((row.major_currency, row.units_per_major) for row in self.minor_units if row.currency == currency),
            (currency, 1.0),
        )

    def securities_of(self, market: str) -> tuple[Security, ...]:
        """Securities whose exchange is in ``market`` (``hk``, ``us``)."""
        exchanges = {exchange.exchange for exchange in self.exchanges if exchange.market == market}
        return tuple(security for security in self.securities if security.exchange in exchanges)
