"""What the user edits: the seed CSVs of dbt, read and checked once, before anything is extracted or built."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
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
    ValidationError,
)

from include.errors import TitansError


def _strict_date(value: object) -> object:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("no such time zone: write it as in Asia/Hong_Kong") from error
    return name


def _cron_line(text: str) -> str:
    from croniter import croniter  # type: ignore[import-untyped]  # its types are no dependency; what Airflow reads cron lines with

    if not croniter.is_valid(text):
        raise ValueError("no cron line: write five fields, as in 30 17 * * 1-5")
    return text


# Spaces at an end are refused and not stripped: dbt would load them, and nothing would match.
Text = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9^][A-Za-z0-9.^=_-]*$", max_length=32)]
MajorCurrency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$")]
"""A major currency, or one of the seed minor_units, whose codes are the vendors' (GBp)."""
Day = Annotated[date, BeforeValidator(_strict_date)]


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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
    symbol: Symbol
    name: Text
    kind: Literal["equity", "index"]
    exchange: Text
    currency: CurrencyCode
    reporting_currency: CurrencyCode | None = None
    """Currency of the company's accounts and so, as a rule, of its estimates: its FX rate is fetched too."""


class Basket(Row):
    basket_id: Identifier
    name: Text
    weighting: Literal["equal", "market_value"]
    rebalance: Literal["none", "daily", "monthly", "quarterly", "annual"]
    base_date: Day | None = None
    comparator_basket_id: Identifier | None = None


class BasketMember(Row):
    basket_id: Identifier
    symbol: Symbol
    valid_from: Day | None = None
    valid_to: Day | None = None


class MarketEvent(Row):
    event_id: Identifier
    name: Text
    date: Day
    description: Text


class IndexHeadline(Row):
    symbol: Symbol
    measure: Literal["return_1d", "return_wtd", "return_ytd", "drawdown", "drawdown_state", "highest_since"]


_PERIODS = ("1d", "wtd", "mtd", "qtd", "ytd", "1m", "3m", "6m", "1y", "3y", "5y")
_RETURNS = {f"return_{period}": "ratio" for period in _PERIODS}
CLAIM_MEASURES: dict[str, dict[str, str]] = {
    "basket": {
        **_RETURNS,
        "drawdown": "ratio",
        "market_value_usd": "usd",
        "market_value_change_ytd_usd": "usd",
        "forward_pe": "times",
    },
    "pair": {**{f"excess_{measure}": unit for measure, unit in _RETURNS.items()}, "forward_pe_discount": "ratio"},
    "index": {**_RETURNS, "drawdown": "ratio", "highest_since": "year"},
    "equity": {**_RETURNS, "drawdown": "ratio", "market_value_usd": "usd", "forward_pe": "times"},
}
"""What a press claim may measure of each kind of subject, and in which unit: what int_press_values looks up."""


class PressClaim(Row):
    claim_id: Identifier
    claim_date: Day
    subject: Text
    """A basket, a symbol, or a pair of baskets: ``one vs other``."""
    measure: Text
    comparison: Literal["about", "more_than", "less_than", "at_least", "at_most", "in_year"]
    claimed_value: FiniteFloat
    tolerance: Annotated[FiniteFloat, Field(ge=0)]
    unit: Literal["ratio", "usd", "times", "year"]
    statement: Text


class VendorCorrection(Row):
    symbol: Symbol
    date: Day
    field: Literal["close", "dividend", "split_ratio"]
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


T = TypeVar("T", bound=Row)


@dataclass(frozen=True)
class Reference:
    """All seeds, in file order."""

    exchanges: tuple[Exchange, ...]
    securities: tuple[Security, ...]
    baskets: tuple[Basket, ...]
    basket_members: tuple[BasketMember, ...]
    market_events: tuple[MarketEvent, ...]
    index_headlines: tuple[IndexHeadline, ...]
    press_claims: tuple[PressClaim, ...]
    vendor_corrections: tuple[VendorCorrection, ...]
    calendar_overrides: tuple[CalendarOverride, ...]
    minor_units: tuple[MinorUnit, ...]

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


def _read(folder: Path, name: str, model: type[T]) -> tuple[T, ...]:
    path = folder / f"{name}.csv"
    try:
        content = path.read_bytes()
        if b"\r\n" in content and content.count(b"\r\n") != content.count(b"\n"):
            raise TitansError(
                f"Seed {path} mixes line ends of Windows and Unix, which dbt cannot read: save it with one of them."
            )
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [field for field in model.model_fields if field not in (reader.fieldnames or [])]
            if missing:
                raise TitansError(
                    f"Seed {path} has no column {missing[0]}: its columns are {', '.join(model.model_fields)}."
                )
            rows = []
            for row in reader:
                if None in row:
                    raise TitansError(
                        f"Seed {path}, line {reader.line_num} has more values than the header has columns. Correct the row."
                    )
                try:
                    rows.append(model.model_validate({key: value or None for key, value in row.items()}))
                except ValidationError as error:
                    problem = error.errors()[0]
                    where = str(problem["loc"][0]) if problem["loc"] else "row"
                    raise TitansError(
                        f"Seed {path}, line {reader.line_num}, {where}={problem['input']!r}: {problem['msg']}. Correct the row."
                    ) from error
    except OSError as error:
        raise TitansError(
            f"Seed {path} cannot be read ({error.strerror}): restore it, for example with git checkout."
        ) from error
    except UnicodeDecodeError as error:
        raise TitansError(f"Seed {path} is not UTF-8 text ({error.reason}): save it as UTF-8 CSV.") from error
    return tuple(rows)


def load_reference(folder: Path) -> Reference:
    """Read every seed in ``folder`` and check each against the others.

    Raises:
        TitansError: names the file, the row and what to correct.
    """
    reference = Reference(
        exchanges=_read(folder, "exchanges", Exchange),
        securities=_read(folder, "securities", Security),
        baskets=_read(folder, "baskets", Basket),
        basket_members=_read(folder, "basket_members", BasketMember),
        market_events=_read(folder, "market_events", MarketEvent),
        index_headlines=_read(folder, "index_headlines", IndexHeadline),
        press_claims=_read(folder, "press_claims", PressClaim),
        vendor_corrections=_read(folder, "vendor_corrections", VendorCorrection),
        calendar_overrides=_read(folder, "calendar_overrides", CalendarOverride),
        minor_units=_read(folder, "minor_units", MinorUnit),
    )
    _check_unique(reference)
    _check_references(reference)
    _check_currencies(reference)
    _check_memberships(reference)
    _check_press_claims(reference)
    return reference


def _check_unique(reference: Reference) -> None:
    def check(name: str, rows: Iterable[Any], key: Callable[[Any], object]) -> None:
        seen = set()
        for row in rows:
            if key(row) in seen:
                raise TitansError(f"Seed {name}.csv lists {key(row)} twice: keep one row.")
            seen.add(key(row))

    check("exchanges", reference.exchanges, lambda row: row.exchange)
    check("securities", reference.securities, lambda row: row.symbol)
    check("baskets", reference.baskets, lambda row: row.basket_id)
    check("market_events", reference.market_events, lambda row: row.event_id)
    check("index_headlines", reference.index_headlines, lambda row: (row.symbol, row.measure))
    check("press_claims", reference.press_claims, lambda row: row.claim_id)
    check("vendor_corrections", reference.vendor_corrections, lambda row: (row.symbol, str(row.date), row.field))
    check("calendar_overrides", reference.calendar_overrides, lambda row: (row.exchange, str(row.date)))
    check("minor_units", reference.minor_units, lambda row: row.currency)


def _check_references(reference: Reference) -> None:
    exchanges = {row.exchange for row in reference.exchanges}
    securities = {row.symbol: row for row in reference.securities}
    baskets = {row.basket_id for row in reference.baskets}

    def known(value: str | None, names: Iterable[str], where: str, target: str) -> None:
        if value is not None and value not in names:
            raise TitansError(
                f"Seed {where} names {value}, which {target}.csv does not list: add it there or correct the row."
            )

    for security in reference.securities:
        known(security.exchange, exchanges, f"securities.csv ({security.symbol})", "exchanges")
    markets = {row.exchange: row.market for row in reference.exchanges}
    for exchange in reference.exchanges:
        known(exchange.benchmark_symbol, securities, f"exchanges.csv ({exchange.exchange})", "securities")
        benchmark = securities[exchange.benchmark_symbol] if exchange.benchmark_symbol else None
        if benchmark and (benchmark.kind != "index" or markets[benchmark.exchange] != exchange.market):
            raise TitansError(
                f"Seed exchanges.csv measures {exchange.exchange} against {benchmark.symbol}, which is no index of market {exchange.market}: "
                "name an index of that market in benchmark_symbol, or leave it empty."
            )
    for override in reference.calendar_overrides:
        known(override.exchange, exchanges, f"calendar_overrides.csv ({override.date})", "exchanges")
    for basket in reference.baskets:
        known(basket.comparator_basket_id, baskets, f"baskets.csv ({basket.basket_id})", "baskets")
        if basket.comparator_basket_id == basket.basket_id:
            raise TitansError(
                f"Seed baskets.csv compares {basket.basket_id} with itself: name another basket or leave it empty."
            )
        if basket.basket_id in securities:
            raise TitansError(
                f"Basket {basket.basket_id} bears the symbol of a security: give it another basket_id in baskets.csv."
            )
        if not any(member.basket_id == basket.basket_id for member in reference.basket_members):
            raise TitansError(
                f"Basket {basket.basket_id} has no member: add rows to basket_members.csv or remove the basket."
            )
    for member in reference.basket_members:
        known(member.basket_id, baskets, "basket_members.csv", "baskets")
        known(member.symbol, securities, f"basket_members.csv (basket {member.basket_id})", "securities")
        if securities[member.symbol].kind != "equity":
            raise TitansError(
                f"Basket {member.basket_id} has the index {member.symbol} as a member: only equities can be members."
            )
    for headline in reference.index_headlines:
        known(headline.symbol, securities, "index_headlines.csv", "securities")
        if securities[headline.symbol].kind != "index":
            raise TitansError(
                f"Seed index_headlines.csv names {headline.symbol}, which is not an index: use an index of securities.csv."
            )
    for correction in reference.vendor_corrections:
        known(correction.symbol, securities, f"vendor_corrections.csv ({correction.date})", "securities")
        if correction.value < 0 or (correction.field != "dividend" and correction.value == 0):
            raise TitansError(
                f"Seed vendor_corrections.csv sets {correction.field} of {correction.symbol} on {correction.date} to "
                f"{correction.value}: it must be above zero."
            )
        if correction.known_from > datetime.now(UTC).date() + timedelta(days=1):
            raise TitansError(
                f"Seed vendor_corrections.csv has a {correction.field} of {correction.symbol} on {correction.date} known from {correction.known_from} on, which "
                "is in the future: give the day on which it could be known."
            )
        currency = securities[correction.symbol].currency
        if correction.field == "close" and correction.currency not in (None, currency):
            raise TitansError(
                f"Seed vendor_corrections.csv gives the close of {correction.symbol} on {correction.date} in {correction.currency}, and the security trades "
                f"in {currency}: convert the value, or leave the currency empty."
            )


def _check_currencies(reference: Reference) -> None:
    minor = {row.currency for row in reference.minor_units}
    for row in reference.minor_units:
        if row.major_currency in minor:
            raise TitansError(
                f"Seed minor_units.csv makes {row.currency} a part of {row.major_currency}, a minor unit itself: name a major currency."
            )
    named = [
        (f"securities.csv ({row.symbol})", code)
        for row in reference.securities
        for code in (row.currency, row.reporting_currency)
    ]
    named += [
        (f"vendor_corrections.csv ({row.symbol}, {row.date})", row.currency) for row in reference.vendor_corrections
    ]
    for where, code in named:
        if code and not code.isupper() and code not in minor:
            raise TitansError(
                f"Seed {where} has the currency {code}, which is neither three capital letters nor one of minor_units.csv "
                f"({', '.join(sorted(minor))}): correct it or add it there."
            )


def _check_memberships(reference: Reference) -> None:
    for basket in reference.baskets:
        day = basket.base_date
        if day and not any(
            (member.valid_from or date.min) <= day < (member.valid_to or date.max)
            for member in reference.basket_members
            if member.basket_id == basket.basket_id
        ):
            raise TitansError(
                f"Seed baskets.csv starts {basket.basket_id} on {day}, when it has no member: correct that base_date, or valid_from and valid_to "
                "of its members in basket_members.csv."
            )
    spans: dict[tuple[str, str], list[BasketMember]] = defaultdict(list)
    for member in reference.basket_members:
        if member.valid_from and member.valid_to and member.valid_to < member.valid_from:
            raise TitansError(
                f"Member {member.symbol} of basket {member.basket_id} is valid to {member.valid_to}, before it starts on "
                f"{member.valid_from}: correct basket_members.csv."
            )
        spans[member.basket_id, member.symbol].append(member)
    for (basket_id, symbol), members in spans.items():
        members.sort(key=lambda member: member.valid_from or date.min)
        for earlier, later in pairwise(members):
            if (earlier.valid_to or date.max) >= (later.valid_from or date.min):
                raise TitansError(
                    f"Memberships of {symbol} in basket {basket_id} overlap: one runs to {earlier.valid_to or 'no end'}, the next starts "
                    f"on {later.valid_from or 'the beginning'}. Correct basket_members.csv."
                )


def _check_press_claims(reference: Reference) -> None:
    """Refuse a claim that the marts could not be asked about."""
    baskets = {row.basket_id for row in reference.baskets}
    kinds = {**{row.symbol: str(row.kind) for row in reference.securities}, **dict.fromkeys(baskets, "basket")}

    def kind_of(claim: PressClaim) -> str:
        one, separator, other = claim.subject.partition(" vs ")
        if separator and one in baskets and other in baskets and one != other:
            return "pair"
        if separator or claim.subject not in kinds:
            raise TitansError(
                f"Seed press_claims.csv ({claim.claim_id}) speaks of {claim.subject}, which is no basket of baskets.csv, no symbol of "
                "securities.csv and no pair of two baskets such as china_titans vs magnificent_seven: correct the subject."
            )
        return kinds[claim.subject]

    for claim in reference.press_claims:
        kind = kind_of(claim)
        measures = CLAIM_MEASURES[kind]
        if claim.measure not in measures:
            raise TitansError(
                f"Seed press_claims.csv ({claim.claim_id}) has the measure {claim.measure}, which {claim.subject} does not have: "
                f"use one of {', '.join(measures)}."
            )
        if claim.unit != measures[claim.measure]:
            raise TitansError(
                f"Seed press_claims.csv ({claim.claim_id}) tells {claim.measure} in {claim.unit}, and the marts in {measures[claim.measure]}: "
                "give value and tolerance in that unit."
            )
        if (claim.comparison == "in_year") != (claim.unit == "year"):
            raise TitansError(
                f"Seed press_claims.csv ({claim.claim_id}) compares {claim.measure} with {claim.comparison}: "
                "in_year goes with highest_since, and highest_since with in_year only."
            )
        if claim.unit == "year" and not claim.claimed_value.is_integer():
            raise TitansError(
                f"Seed press_claims.csv ({claim.claim_id}) names the year {claim.claimed_value}: write it as 2021."
            )
