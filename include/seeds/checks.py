"""Checks of the seeds against each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from include.errors import TitansError
from include.seeds.rows import BasketMember, Exchange, PressClaim, Reference


def check_unique(reference: Reference) -> None:
    def check(name: str, rows: Iterable[Any], key: Callable[[Any], object]) -> None:
        seen = set()
        for row in rows:
            if key(row) in seen:
                raise TitansError(f"Seed {name}.csv lists {key(row)} twice: keep one row.")
            seen.add(key(row))

    check("exchanges", reference.exchanges, lambda row: row.exchange)
    check("securities", reference.securities, lambda row: row.symbol)
    check("baskets", reference.baskets, lambda row: row.basket_id)
    check("basket_pairs", reference.basket_pairs, lambda row: (row.basket_id, row.comparator_basket_id))
    check("market_events", reference.market_events, lambda row: row.event_id)
    check("index_headlines", reference.index_headlines, lambda row: (row.symbol, row.measure))
    check("press_claims", reference.press_claims, lambda row: row.claim_id)
    check("vendor_corrections", reference.vendor_corrections, lambda row: (row.symbol, str(row.date), row.field))
    check("calendar_overrides", reference.calendar_overrides, lambda row: (row.exchange, str(row.date)))
    check("minor_units", reference.minor_units, lambda row: row.currency)


def check_references(reference: Reference) -> None:
    if not reference.securities:
        raise TitansError("Seed securities.csv has no row: add the securities whose prices are wanted.")
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
    for pair in reference.basket_pairs:
        for name in (pair.basket_id, pair.comparator_basket_id):
            known(name, baskets, f"basket_pairs.csv ({pair.basket_id},{pair.comparator_basket_id})", "baskets")
        if pair.comparator_basket_id == pair.basket_id:
            raise TitansError(
                f"Seed basket_pairs.csv compares {pair.basket_id} with itself: name another basket or remove the row."
            )
    for basket in reference.baskets:
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


def check_markets(reference: Reference) -> None:
    """Refuse a market whose exchanges are not on one clock: one DAG fetches its prices, in one time zone."""
    this_year = datetime.now(UTC).year
    days = [datetime(this_year, 1, 1, 12, tzinfo=UTC) + timedelta(days=7 * week) for week in range(53)]

    def offsets(exchange: Exchange) -> list[timedelta | None]:
        return [day.astimezone(ZoneInfo(exchange.timezone)).utcoffset() for day in days]

    first_of: dict[str, Exchange] = {}
    for exchange in reference.exchanges:
        first = first_of.setdefault(exchange.market, exchange)
        if exchange.timezone != first.timezone and offsets(exchange) != offsets(first):
            raise TitansError(
                f"Seed exchanges.csv puts {first.exchange} ({first.timezone}) and {exchange.exchange} "
                f"({exchange.timezone}) into market {exchange.market}, and their clocks differ: "
                f"give {exchange.exchange} a market of its own."
            )


def check_currencies(reference: Reference) -> None:
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


def check_memberships(reference: Reference) -> None:
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


def check_index_headlines(reference: Reference, measures: Sequence[str]) -> None:
    """Refuse a headline that has no template."""
    for headline in reference.index_headlines:
        if headline.measure not in measures:
            raise TitansError(
                f"Seed index_headlines.csv has the measure {headline.measure} for {headline.symbol}, "
                f"and no headline is of that: use one of {', '.join(measures)}."
            )


def check_press_claims(reference: Reference, measures_of: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse a claim that the marts could not be asked about.

    Args:
        measures_of: the measures of each kind of subject that can be claimed, with their units.
    """
    baskets = {row.basket_id for row in reference.baskets}
    kinds = {**{row.symbol: str(row.kind) for row in reference.securities}, **dict.fromkeys(baskets, "basket")}

    def kind_of(claim: PressClaim) -> str:
        one, separator, other = claim.subject.partition(" vs ")
        if separator and (one, other) in reference.compared:
            return "pair"
        if separator and one in baskets and other in baskets and one != other:
            raise TitansError(
                f"Seed press_claims.csv ({claim.claim_id}) speaks of {claim.subject}, and these two baskets are not "
                f"compared: add the row {one},{other} to basket_pairs.csv."
            )
        if separator or claim.subject not in kinds:
            raise TitansError(
                f"Seed press_claims.csv ({claim.claim_id}) speaks of {claim.subject}, which is no basket of baskets.csv, no symbol of "
                "securities.csv and no pair of two baskets such as china_titans vs magnificent_seven: correct the subject."
            )
        return kinds[claim.subject]

    for claim in reference.press_claims:
        kind = kind_of(claim)
        measures = measures_of[kind]
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
                "in_year goes with highest_since and record_high_date, and they with in_year only."
            )
        if claim.unit == "year" and not claim.claimed_value.is_integer():
            raise TitansError(
                f"Seed press_claims.csv ({claim.claim_id}) names the year {claim.claimed_value}: write it as 2021."
            )
