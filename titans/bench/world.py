"""How large a made-up world is, who is in it, and the seeds that say so."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from include.errors import TitansError
from include.seeds.rows import (
    Basket,
    BasketMember,
    CalendarOverride,
    Exchange,
    IndexHeadline,
    MarketEvent,
    Row,
    Security,
)
from include.settings import PROJECT_ROOT
from titans.bench.draws import Stream, bits, part, uniform

FIRST_EXPORT = date(2025, 3, 6)
"""The day of the first export: both exchanges have a session on it and on the day after."""
DAY_AFTER, DAY_AFTER_THAT = date(2025, 3, 7), date(2025, 3, 10)
"""The next sessions of both exchanges."""
CALENDARS_BEGIN = date(1999, 12, 31)
HONG_KONG, NEW_YORK = "XHKG", "XNYS"
EXCHANGES = (HONG_KONG, NEW_YORK)
"""A security with an even number is listed in Hong Kong, one with an odd number in New York."""
CURRENCIES = {HONG_KONG: "HKD", NEW_YORK: "USD"}

_SYMBOLS_AN_INDEX = 50
_LISTED_LATE_EVERY, _LISTED_LATE_FIRST = 20, 7
_MARKETS = {
    HONG_KONG: ("hk", "Hong Kong Exchange", "Asia/Hong_Kong", "30 17 * * 1-5", "^H000"),
    NEW_YORK: ("us", "New York exchanges", "America/New_York", "0 18 * * 1-5", "^U001"),
}
_REBALANCES = ("quarterly", "annual", "monthly", "annual")
_OVERRIDES = {
    date(2023, 9, 1): "Typhoon Saola: no trading all day",
    date(2023, 9, 8): "black rainstorm warning: no trading all day",
}
_EVENTS = {
    "stimulus": ("the stimulus package", date(2024, 9, 23)),
    "new_model": ("the new model", date(2025, 1, 24)),
}


@dataclass(frozen=True)
class World:
    """The size of a made-up world.

    Attributes:
        symbols: equities. An index for every fifty of them comes on top, two at least.
        years: of history up to ``FIRST_EXPORT``.
        baskets: how many, each with ``members`` equities at a time.
    """

    symbols: int
    years: int
    baskets: int
    members: int

    def __post_init__(self) -> None:
        longest = FIRST_EXPORT.year - CALENDARS_BEGIN.year - 1
        for name in ("symbols", "years", "baskets", "members"):
            if getattr(self, name) < 1:
                raise TitansError(
                    f"{name.upper()}={getattr(self, name)} makes no world: give a whole number from 1 on."
                )
        if self.years > longest:
            raise TitansError(
                f"YEARS={self.years} is more than the calendars of the exchanges reach back: give {longest} at most."
            )
        if self.members > self.symbols:
            raise TitansError(
                f"MEMBERS={self.members} is more than SYMBOLS={self.symbols}: a basket holds a symbol once. "
                "Give fewer members or more symbols."
            )

    @property
    def first_day(self) -> date:
        return FIRST_EXPORT.replace(year=FIRST_EXPORT.year - self.years)

    @property
    def indices(self) -> int:
        return max(len(EXCHANGES), self.symbols // _SYMBOLS_AN_INDEX)


def exchange_of(number: int) -> str:
    return EXCHANGES[number % 2]


def equity(number: int) -> str:
    """The symbol of an equity."""
    return f"{10_000 + number}.HK" if exchange_of(number) == HONG_KONG else f"U{number:05d}"


def index(number: int) -> str:
    """The symbol of an index."""
    return f"^{'H' if exchange_of(number) == HONG_KONG else 'U'}{number:03d}"


def reporting_currency(number: int) -> str:
    """Currency of an equity's estimates: two of three companies in Hong Kong report in renminbi."""
    if exchange_of(number) == NEW_YORK:
        return "USD"
    return "HKD" if number % 3 == 0 else "CNY"


def listed_on(number: int) -> date:
    """The first day on which an equity may have a price. One in twenty is listed late, two years ago at the latest."""
    if number % _LISTED_LATE_EVERY != _LISTED_LATE_FIRST:
        return date.min
    days_ago = 730 + int(uniform(bits(Stream.LISTING, number))[0] * 22 * 365)
    return FIRST_EXPORT - timedelta(days=days_ago)


def write_project(world: World, folder: Path, project: Path = PROJECT_ROOT / "dbt_project") -> Path:
    """A copy of the dbt project in ``folder`` whose seeds are those of the world and of nothing else.

    Raises:
        OSError: the copy cannot be written.
    """
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("target", "logs"))
    seeds = folder / "seeds"
    for path in seeds.glob("*.csv"):
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline().rstrip("\r\n")
        path.write_text(f"{header}\n", encoding="utf-8")
    _write(seeds / "exchanges.csv", Exchange, _exchanges())
    _write(seeds / "securities.csv", Security, _securities(world))
    baskets = [_basket(world, number) for number in range(world.baskets)]
    _write(seeds / "baskets.csv", Basket, baskets)
    members = (member for number, basket in enumerate(baskets) for member in _members(world, number, basket))
    _write(seeds / "basket_members.csv", BasketMember, members)
    overrides = [
        CalendarOverride(exchange=HONG_KONG, date=day, is_session=False, reason=reason)
        for day, reason in _OVERRIDES.items()
    ]
    _write(seeds / "calendar_overrides.csv", CalendarOverride, overrides)
    events = [
        MarketEvent(event_id=event_id, name=name, date=day, description=f"The last close before {name}")
        for event_id, (name, day) in _EVENTS.items()
    ]
    _write(seeds / "market_events.csv", MarketEvent, events)
    headlines = [IndexHeadline(symbol=index(number), measure="drawdown") for number in range(len(EXCHANGES))]
    _write(seeds / "index_headlines.csv", IndexHeadline, headlines)
    return folder


def _exchanges() -> list[Exchange]:
    return [
        Exchange(
            exchange=code,
            market=market,
            name=name,
            calendar=code,
            timezone=zone,
            ingest_cron=cron,
            benchmark_symbol=benchmark,
        )
        for code, (market, name, zone, cron, benchmark) in _MARKETS.items()
    ]


def _securities(world: World) -> Iterable[Security]:
    for number in range(world.indices):
        exchange = exchange_of(number)
        yield Security(
            symbol=index(number),
            name=f"Index {number}",
            kind="index",
            exchange=exchange,
            currency=CURRENCIES[exchange],
        )
    for number in range(world.symbols):
        exchange = exchange_of(number)
        yield Security(
            symbol=equity(number),
            name=f"Company {number}",
            kind="equity",
            exchange=exchange,
            currency=CURRENCIES[exchange],
            reporting_currency=reporting_currency(number),
        )


def _basket_id(number: int) -> str:
    return f"basket_{number:03d}"


def _basket(world: World, number: int) -> Basket:
    other = (number + 1) % world.baskets
    return Basket(
        basket_id=_basket_id(number),
        name=f"Basket {number}",
        weighting="market_value" if number % 4 == 1 else "equal",
        rebalance=_REBALANCES[number % len(_REBALANCES)],
        comparator_basket_id=_basket_id(other) if other != number else None,
    )


def _members(world: World, number: int, basket: Basket) -> Iterable[BasketMember]:
    """Of every five places one changes hands on some day, where symbols are left over for it."""
    chosen, spare = _drawn(world, number)
    for place, symbol in enumerate(chosen):
        first, successor = _entry(world, symbol), None
        drawn = bits(Stream.MEMBERSHIP, number, place)
        if part(drawn, 0)[0] < 0.2 and spare:
            successor = spare.pop()
            span = (FIRST_EXPORT - world.first_day).days
            handover = world.first_day + timedelta(days=int((0.1 + 0.8 * part(drawn, 1)[0]) * span))
            if first and first >= handover:
                successor = None
        if successor is None:
            yield BasketMember(basket_id=basket.basket_id, symbol=equity(symbol), valid_from=first)
            continue
        yield BasketMember(basket_id=basket.basket_id, symbol=equity(symbol), valid_from=first, valid_to=handover)
        entry = max(handover + timedelta(days=1), _entry(world, successor) or date.min)
        yield BasketMember(basket_id=basket.basket_id, symbol=equity(successor), valid_from=entry)


def _drawn(world: World, number: int) -> tuple[Sequence[int], list[int]]:
    """The first members of a basket, and some more: of Hong Kong, of New York or of both, where these have enough."""
    pools = (range(0, world.symbols, 2), range(1, world.symbols, 2), range(world.symbols))
    pool = pools[number % 3]
    numbers = np.array(pool if len(pool) >= world.members else range(world.symbols))
    order = numbers[np.argsort(bits(Stream.BASKET, number, numbers), kind="stable")].tolist()
    return order[: world.members], order[world.members :]


def _entry(world: World, number: int) -> date | None:
    """The day on which an equity may join a basket: once it has some prices. None: from the start."""
    listed = listed_on(number)
    return listed + timedelta(days=10) if listed > world.first_day else None


def _write(path: Path, model: type[Row], rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(model.model_fields), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            values = row.model_dump(mode="json")
            writer.writerow(
                {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items()}
            )
