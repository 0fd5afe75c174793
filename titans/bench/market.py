"""What is true in the made-up world, and what its vendor says of it: series by number of the security and by weekday.

Prices are those of ``FIRST_EXPORT`` times splits, so a series goes on after it and does not depend on how many symbols
or years a world has. Arrays have a row a weekday and a column a security.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import cast

import numpy as np
import numpy.typing as npt

from include.seeds.calendars import SessionCalendar
from titans.bench.draws import Bits, Floats, Stream, bits, normal, part
from titans.bench.world import CALENDARS_BEGIN, EXCHANGES, FIRST_EXPORT, listed_on

Flags = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]

HORIZON = date(2027, 12, 31)
"""The last day that an export may be of."""


def _weekdays() -> Days:
    days = np.arange(np.datetime64(CALENDARS_BEGIN), np.datetime64(HORIZON) + 1)
    return days[np.is_busday(days)]


WEEKDAYS = _weekdays()
"""The days of every series, by their place: sessions are some of them."""


def place_of(day: date) -> int:
    """The place of a weekday, or of the next one."""
    return int(np.searchsorted(WEEKDAYS, np.datetime64(day)))


EXPORT_PLACE = place_of(FIRST_EXPORT)
_YEAR = 261
_QUARTER = 65

_PULL = 0.999
"""What is left of a walk's distance from its middle after a day: prices stay within reason over decades."""
_STEADY = (1 - _PULL**2) ** -0.5

_SPLIT_BLOCK, _SPLIT_CHANCE = 1_500, 0.4
_RATIOS = np.array([2.0, 2.0, 3.0, 4.0, 1.5, 0.5])
_SPLITS_NEXT_EVERY, _SPLITS_NEXT_FIRST = 200, 3
"""These split two for one on the day after the first export."""

_MISSING_BLOCK, _MISSING_CHANCE = 260, 0.6
_HALTED_EVERY, _HALTED_FIRST, _HALTED_DAYS = 25, 9, 7
_RESTATED_CHANCE, _RESTATED_WITHIN = 0.02, 5
_INDEX_KEYS = 1 << 32


def walk(stream: Stream, keys: Bits | Whole, first: int) -> Floats:
    """A walk around zero from place ``first`` to the horizon, drawn backwards: an earlier start adds days."""
    places = np.arange(first, len(WEEKDAYS))
    noise = normal(bits(stream, keys[None, :], places[:, None]))
    noise[-1] *= _STEADY
    for row in range(len(places) - 2, -1, -1):
        noise[row] += _PULL * noise[row + 1]
    return noise


def _market_level(exchange: str) -> Floats:
    """The logarithm of a market's level on each weekday, 0 on the day of the first export."""
    places = np.arange(len(WEEKDAYS))
    level = np.cumsum(0.0002 + 0.008 * normal(bits(Stream.MARKET, EXCHANGES.index(exchange), places)))
    return cast(Floats, level - level[EXPORT_PLACE])


@dataclass(frozen=True)
class Splits:
    """Splits of some securities: a row each. ``places`` beyond the last weekday are no split.

    Attributes:
        places: of the ex-dates, which are sessions.
    """

    places: Whole
    ratios: Floats

    def between(self, after: Whole | int, until: Whole | int) -> Floats:
        """The product of the ratios with an ex-date after the one place and up to the other."""
        product: Floats = np.ones(1)
        for block in range(self.places.shape[1]):
            places, ratios = self.places[:, block], self.ratios[:, block]
            product = product * np.where((places > after) & (places <= until), ratios, 1.0)
        return product


class Exchange:
    """The sessions of an exchange, and the level of its market."""

    def __init__(self, name: str, calendar: SessionCalendar) -> None:
        self.name = name
        self.is_session: Flags = np.isin(WEEKDAYS, np.array(calendar.dates, dtype="datetime64[D]"))
        self.level = _market_level(name)
        # Of each weekday the place of the session on or after it; beyond the last one where there is none.
        places = np.where(self.is_session, np.arange(len(WEEKDAYS)), len(WEEKDAYS))
        self._next = np.append(np.minimum.accumulate(places[::-1])[::-1], len(WEEKDAYS))

    def session_from(self, places: Whole) -> Whole:
        return cast(Whole, self._next[np.minimum(places, len(WEEKDAYS))])


class Securities:
    """Some equities, or some indices, of one exchange."""

    def __init__(self, exchange: Exchange, numbers: Whole, is_index: bool = False) -> None:
        self.exchange = exchange
        self.numbers = numbers
        self.is_index = is_index
        self.keys = numbers + _INDEX_KEYS * is_index
        character = bits(Stream.CHARACTER, self.keys)
        self._character = character
        low, high = (2_000.0, 30_000.0) if is_index else (8.0, 600.0)
        self.middle = low * (high / low) ** part(character, 0)
        """The price around which the walk goes on the day of the first export."""
        self._beta = np.ones(len(numbers)) if is_index else 0.5 + part(character, 1)
        self._volatility = 0.003 + (0 if is_index else 0.017) * part(character, 2)
        self.splits = self._draw_splits()

    def _draw_splits(self) -> Splits:
        blocks = np.arange(-(-len(WEEKDAYS) // _SPLIT_BLOCK))
        drawn = bits(Stream.SPLIT, self.keys[:, None], blocks[None, :])
        places = (blocks * _SPLIT_BLOCK + part(drawn, 1) * _SPLIT_BLOCK).astype(np.int64)
        ratios = _RATIOS[(part(drawn, 2) * len(_RATIOS)).astype(np.int64)]
        places[part(drawn, 0) >= _SPLIT_CHANCE] = len(WEEKDAYS)
        if self.is_index:
            places[:] = len(WEEKDAYS)
        else:
            next_day, block = EXPORT_PLACE + 1, (EXPORT_PLACE + 1) // _SPLIT_BLOCK
            splits_next = self.numbers % _SPLITS_NEXT_EVERY == _SPLITS_NEXT_FIRST
            places[splits_next, block], ratios[splits_next, block] = next_day, 2.0
        return Splits(self.exchange.session_from(places), ratios)

    def bars(self, first: int, day: int) -> Bars:
        """What the vendor says on the weekday at place ``day`` of all days since place ``first``."""
        places = np.arange(first, day + 1)[:, None]
        shape = (len(places), len(self.numbers))
        steps = self._volatility * walk(Stream.WALK, self.keys, first)[: len(places)]
        price = self.middle * np.exp(self._beta * self.exchange.level[first : day + 1, None] + steps)
        # As it trades: before a split the old shares, after one that the first export does not know the new ones.
        price *= self.splits.between(places, EXPORT_PLACE) / self.splits.between(EXPORT_PLACE, places)
        wrong = self.misreported(places, day)
        drawn = bits(Stream.BAR, self.keys[None, :], places)
        told = np.where(wrong, price * (1.004 + 0.01 * part(drawn, 3)), price)
        close = _tick(told)
        opened = _tick(told * (0.995 + 0.01 * part(drawn, 0)))
        high = _tick(np.maximum(opened, close) * (1 + 0.008 * part(drawn, 1)))
        low = _tick(np.minimum(opened, close) * (1 - 0.008 * part(drawn, 2)))
        volume = np.floor(1e5 * 100 ** part(drawn, 3))
        basis = np.broadcast_to(self.splits.between(places, day), shape)
        dividend = self._dividends(price, first)
        split = self._split_ratios(first, shape)
        return Bars(
            exists=self._exists(first, shape)
            | (dividend > 0) & self._is_listed(places)
            | (split > 0) & self._is_listed(places),
            open=opened / basis,
            high=high / basis,
            low=low / basis,
            close=close / basis,
            volume=np.floor(volume * basis).astype(np.int64),
            dividend=dividend / basis,
            split_ratio=split,
            is_misreported=wrong,
        )

    def misreported(self, places: Whole, day: int) -> Flags:
        """Which bars the vendor still has wrong on that day: it corrects them within five weekdays."""
        drawn = bits(Stream.RESTATEMENT, self.keys[None, :], places)
        corrected = places + 1 + (part(drawn, 1) * _RESTATED_WITHIN).astype(np.int64)
        return (part(drawn, 0) < _RESTATED_CHANCE) & (corrected > day) & (places <= day)

    def splits_between(self, after: int, until: int) -> Flags:
        """Which securities have an ex-date after the one place and up to the other."""
        return cast(Flags, ((self.splits.places > after) & (self.splits.places <= until)).any(axis=1))

    def listed(self) -> Whole:
        """Of each the first place that may have a bar."""
        if self.is_index:
            return np.zeros(len(self.numbers), dtype=np.int64)
        return np.array([place_of(listed_on(int(number))) for number in self.numbers], dtype=np.int64)

    def _is_listed(self, places: Whole) -> Flags:
        return places >= self.listed()

    def _exists(self, first: int, shape: tuple[int, int]) -> Flags:
        """Whether there is a bar: on sessions, but for single days and halts, all before the first export."""
        places = np.arange(first, first + shape[0])[:, None]
        exists = self.exchange.is_session[places] & self._is_listed(places)
        if self.is_index:
            return exists
        blocks = np.arange(EXPORT_PLACE // _MISSING_BLOCK + 1)
        drawn = bits(Stream.MISSING_BAR, self.keys[:, None], blocks[None, :])
        missing = (blocks * _MISSING_BLOCK + part(drawn, 1) * _MISSING_BLOCK).astype(np.int64)
        missing[(part(drawn, 0) >= _MISSING_CHANCE) | (missing > EXPORT_PLACE)] = EXPORT_PLACE
        _mark(exists, missing, first, False)
        halted = self.numbers % _HALTED_EVERY == _HALTED_FIRST
        begins = EXPORT_PLACE - 6 * _YEAR + (part(bits(Stream.HALT, self.keys), 0) * 3 * _YEAR - 10).astype(np.int64)
        for day in range(_HALTED_DAYS):
            _mark(exists, np.where(halted, begins + day, EXPORT_PLACE)[:, None], first, False)
        return exists

    def _dividends(self, traded: Floats, first: int) -> Floats:
        """Per share as it trades, on the ex-date: two of three pay, quarterly in New York, else twice a year."""
        dividends = np.zeros_like(traded)
        if self.is_index:
            return dividends
        blocks = np.arange(-(-len(WEEKDAYS) // _QUARTER))
        offset = (part(bits(Stream.CHARACTER, self.keys, 1), 0) * _QUARTER).astype(np.int64)
        places = self.exchange.session_from(blocks[None, :] * _QUARTER + offset[:, None])
        is_paid = np.broadcast_to((self.numbers % 3 != 0)[:, None], places.shape)
        times = 1
        if self.exchange.name == EXCHANGES[0]:
            times = 2
            is_paid = is_paid & ((blocks[None, :] + self.numbers[:, None]) % 2 == 0)
        is_ex: Flags = np.zeros(traded.shape, dtype=np.bool_)
        _mark(is_ex, np.where(is_paid, places, len(WEEKDAYS)), first, True)
        amount = times * (0.002 + 0.006 * part(self._character, 3))
        return np.where(is_ex, np.maximum(np.round(traded * amount, 3), 0.001), 0.0)

    def _split_ratios(self, first: int, shape: tuple[int, int]) -> Floats:
        ratios = np.zeros(shape)
        for block in range(self.splits.places.shape[1]):
            rows = self.splits.places[:, block] - first
            within = (rows >= 0) & (rows < shape[0])
            ratios[rows[within], np.flatnonzero(within)] = self.splits.ratios[within, block]
        return ratios


@dataclass(frozen=True)
class Bars:
    """Prices on the split basis of the day on which they are told, dividends too; a split's ratio on its ex-date."""

    exists: Flags
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Whole
    dividend: Floats
    split_ratio: Floats
    is_misreported: Flags


def _mark(flags: Flags, places: Whole, first: int, value: bool) -> None:
    """Set what ``places`` name, a row of them a security; those outside and the day of the first export stay."""
    rows = places - first
    within = (rows >= 0) & (rows < len(flags)) & ((places != EXPORT_PLACE) | value)
    columns = np.broadcast_to(np.arange(flags.shape[1])[:, None], places.shape)
    flags[rows[within], columns[within]] = value


def _tick(price: Floats) -> Floats:
    """As exchanges quote: whole cents from 10 on, tenths of them below."""
    return np.where(price >= 10, np.round(price, 2), np.maximum(np.round(price, 3), 0.001))
