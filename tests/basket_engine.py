"""Baskets computed a second way: numbers of shares in a portfolio, bought and sold day by day, on prices as they were traded.

Nothing here reads what dbt computed, and nothing is chained or windowed: a level is what the shares are worth, a contribution is what a
member's shares earned, a split changes the number of shares, and an effect on market value is an integral along the year's growth.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import exp, log

import numpy as np

BASES = ("local", "usd")
KINDS = ("price", "total")
MOST_SESSIONS_MISSED = 5
OLDEST_FIXING = 7
OLDEST_BASE = 10
Series = dict[date, float]


@dataclass
class Market:
    """All that happened up to ``last_day``; every value as it was on its own day, before any later split."""

    last_day: date
    sessions: dict[str, list[date]]
    """By exchange, also beyond ``last_day``."""
    exchange: dict[str, str]
    currency: dict[str, str]
    closes: dict[str, Series]
    dividends: dict[str, Series]
    splits: dict[str, Series]
    shares: dict[str, Series]
    rates: dict[str, Series]
    """Units of a currency for one US dollar, by day of fixing."""

    def __post_init__(self) -> None:
        self._days = {symbol: sorted(series) for symbol, series in self.closes.items()}
        self._fixings = {currency: sorted(series) for currency, series in self.rates.items()}
        self._counts = {symbol: sorted(series) for symbol, series in self.shares.items()}
        self._session_sets = {exchange: set(days) for exchange, days in self.sessions.items()}

    def is_open(self, exchange: str, day: date) -> bool:
        return day in self._session_sets[exchange]

    def split_factor(self, symbol: str, after: date, until: date) -> float:
        """New shares on ``until`` for one share of ``after``."""
        factor = 1.0
        for day, ratio in self.splits.get(symbol, {}).items():
            if after < day <= until:
                factor *= ratio
        return factor

    def close(self, symbol: str, day: date) -> float | None:
        """The last close up to ``day``, for one share of ``day``."""
        days = self._days.get(symbol, [])
        index = bisect_right(days, day)
        if not index:
            return None
        last = days[index - 1]
        return self.closes[symbol][last] / self.split_factor(symbol, last, day)

    def is_priced(self, symbol: str, day: date) -> bool:
        days, sessions = self._days.get(symbol, []), self.sessions[self.exchange[symbol]]
        index = bisect_right(days, day)
        return (
            bool(index)
            and bisect_right(sessions, day) - bisect_right(sessions, days[index - 1]) <= MOST_SESSIONS_MISSED
        )

    def dollars(self, symbol: str, day: date) -> float:
        """US dollars for one unit of the symbol's currency."""
        currency = self.currency[symbol]
        if currency == "USD":
            return 1.0
        fixings = self._fixings[currency]
        last = fixings[bisect_right(fixings, day) - 1]
        assert (day - last).days <= OLDEST_FIXING, f"no fixing of {currency} for {day}"
        return 1 / self.rates[currency][last]

    def share_count(self, symbol: str, day: date) -> tuple[float | None, date | None, bool]:
        """Shares of ``day``, the day of their count, and whether that is a later one carried back."""
        counts = self._counts.get(symbol, [])
        if not counts:
            return None, None, False
        index = bisect_right(counts, day)
        counted = counts[index - 1] if index else counts[0]
        if index:
            return self.shares[symbol][counted] * self.split_factor(symbol, counted, day), counted, False
        return self.shares[symbol][counted] / self.split_factor(symbol, day, counted), counted, True


@dataclass(frozen=True)
class Member:
    symbol: str
    valid_from: date | None = None
    valid_to: date | None = None

    def covers(self, day: date) -> bool:
        return (self.valid_from or date.min) <= day <= (self.valid_to or date.max)


@dataclass(frozen=True)
class Basket:
    basket_id: str
    weighting: str
    rebalance: str
    members: tuple[Member, ...]
    base_date: date | None = None


@dataclass
class Outcome:
    """What the marts should say of one basket."""

    levels: dict[tuple[date, str, str], float] = field(default_factory=dict)
    counts: dict[date, tuple[int, int]] = field(default_factory=dict)
    """Members held and priced."""
    members: dict[tuple[str, date, str, str], tuple[float | None, ...]] = field(default_factory=dict)
    """Weight at the open and the close, return, contribution of the day, of each period of ``targets``, and since the base."""
    values: dict[date, float | None] = field(default_factory=dict)
    effects: dict[date, tuple[float, float, float, float] | None] = field(default_factory=dict)
    """Of price, exchange rates, issuance and membership on the market value."""


def period_start(rebalance: str, day: date) -> date:
    return {
        "daily": day,
        "monthly": day.replace(day=1),
        "quarterly": day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
        "annual": day.replace(month=1, day=1),
    }[rebalance]


def months_before(day: date, months: int) -> date:
    """The same day so many months before, or the last of that month."""
    year, month = divmod(12 * day.year + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def targets(day: date) -> dict[str, date]:
    """Last days whose close may be the base of the week, month and year to ``day``, and of one and three months and a year."""
    return {
        "wtd": day - timedelta(days=day.isoweekday()),
        "mtd": day.replace(day=1) - timedelta(days=1),
        "ytd": date(day.year - 1, 12, 31),
        "1m": months_before(day, 1),
        "3m": months_before(day, 3),
        "1y": months_before(day, 12),
    }


def base_of(days: list[date], target: date) -> date | None:
    index = bisect_right(days, target)
    return days[index - 1] if index and (target - days[index - 1]).days <= OLDEST_BASE else None


class Simulation:
    """One basket from its base date to the last day of the market."""

    def __init__(self, market: Market, basket: Basket) -> None:
        self.market, self.basket = market, basket
        exchanges = {market.exchange[member.symbol] for member in basket.members}
        self._all_days = sorted({day for exchange in exchanges for day in market.sessions[exchange]})
        self.outcome = Outcome()
        self._days: list[date] = []
        self._earned: dict[tuple[str, str, str], float] = defaultdict(float)
        self._earned_until: dict[tuple[str, str, str, date], float] = {}
        self._last_held: dict[str, date] = {}
        self._valued: dict[date, dict[str, tuple[float | None, float, float, float | None]]] = {}

    def run(self) -> Outcome:
        first = self._first_day()
        if first is None:
            return self.outcome
        rebalances = {first, *self._rebalance_days(first)}
        self._quantities: dict[tuple[str, str], dict[str, float]] = {
            (basis, kind): {} for basis in BASES for kind in KINDS
        }
        self._levels = dict.fromkeys(self._quantities, 100.0)
        self._frozen: dict[str, float] = {}
        self._seen = first
        for day in self._all_days[bisect_left(self._all_days, first) :]:
            if day > self.market.last_day:
                break
            held = self._held
            if held and (
                day in rebalances or any(self.market.is_open(self.market.exchange[symbol], day) for symbol in held)
            ):
                self._live(day)
            if day in rebalances:
                self._rebalance(day)
                if not self._days and self._held:
                    self._record_base(day)
        return self.outcome

    @property
    def _held(self) -> list[str]:
        return sorted(self._quantities["usd", "price"])

    def _first_day(self) -> date | None:
        market, basket = self.market, self.basket
        wanted = basket.base_date or min(member.valid_from or date.min for member in basket.members)
        initial = [member for member in basket.members if member.covers(wanted) and member.valid_to != wanted]
        earliest = [basket.base_date or date.min]
        for member in initial:
            if not market.closes.get(member.symbol):
                return None
            earliest += [min(market.closes[member.symbol]), member.valid_from or date.min]
            if basket.weighting == "market_value":
                earliest.append(min(market.shares[member.symbol]))
        open_days = {
            day for member in initial for day in market.sessions[market.exchange[member.symbol]] if day >= max(earliest)
        }
        return min(open_days)

    def _next_session(self, day: date) -> date:
        index = bisect_right(self._all_days, day)
        return self._all_days[index] if index < len(self._all_days) else day + timedelta(days=1)

    def _rebalance_days(self, first: date) -> Iterator[date]:
        """The last day of each period on which all exchanges of its members, and of those who join next, are open."""
        if self.basket.rebalance == "none":
            return
        last_of_period: dict[date, date] = {}
        for day in self._all_days[
            bisect_right(self._all_days, first) : bisect_right(self._all_days, date(self.market.last_day.year, 12, 31))
        ]:
            start = period_start(self.basket.rebalance, day)
            needed = {
                self.market.exchange[member.symbol]
                for member in self.basket.members
                if (member.valid_from or date.min) <= self._next_session(day) and (member.valid_to or date.max) >= start
            }
            if needed and all(self.market.is_open(exchange, day) for exchange in needed):
                last_of_period[start] = day
        yield from last_of_period.values()

    def _unit(self, symbol: str, day: date, basis: str) -> float:
        """Dollars for a unit of the symbol's currency: of the day, or of the last rebalance."""
        return self._frozen[symbol] if basis == "local" else self.market.dollars(symbol, day)

    def _worth(self, symbol: str, day: date, basis: str) -> float:
        close = self.market.close(symbol, day)
        assert close is not None
        return close * self._unit(symbol, day, basis)

    def _live(self, day: date) -> None:
        """A day passes: shares split, prices move, dividends are paid and reinvested across the basket."""
        market, held = self.market, self._held
        for (basis, kind), quantities in self._quantities.items():
            before = {symbol: quantities[symbol] * self._worth(symbol, self._seen, basis) for symbol in held}
            for symbol in held:
                quantities[symbol] *= market.split_factor(symbol, self._seen, day)
            after = {symbol: quantities[symbol] * self._worth(symbol, day, basis) for symbol in held}
            paid = dict.fromkeys(held, 0.0)
            if kind == "total":
                for symbol in held:
                    dividend = market.dividends.get(symbol, {}).get(day, 0.0)
                    paid[symbol] = quantities[symbol] * dividend * self._unit(symbol, day, basis)
            level_before, worth = sum(before.values()), sum(after.values())
            level = worth + sum(paid.values())
            for symbol in held:
                earned = after[symbol] + paid[symbol] - before[symbol]
                self._earned[symbol, basis, kind] += earned
                self.outcome.members[symbol, day, basis, kind] = (
                    before[symbol] / level_before,
                    after[symbol] / worth,
                    earned / before[symbol],
                    earned / level_before,
                )
                quantities[symbol] *= level / worth
            self._levels[basis, kind] = level
            self.outcome.levels[day, basis, kind] = level
        self._close_day(day)
        self._contribute(day)

    def _record_base(self, day: date) -> None:
        for (basis, kind), quantities in self._quantities.items():
            self.outcome.levels[day, basis, kind] = 100.0
            worth = {symbol: quantities[symbol] * self._worth(symbol, day, basis) for symbol in self._held}
            for symbol in self._held:
                contributions = [0.0 if period == "ytd" else None for period in targets(day)]
                self.outcome.members[symbol, day, basis, kind] = (
                    None,
                    worth[symbol] / sum(worth.values()),
                    None,
                    None,
                    *contributions,
                    0.0,
                )
        self._close_day(day)

    def _close_day(self, day: date) -> None:
        held = self._held
        priced = [symbol for symbol in held if self.market.is_priced(symbol, day)]
        self._seen = day
        self._days.append(day)
        self._last_held.update(dict.fromkeys(held, day))
        self.outcome.counts[day] = (len(held), len(priced))
        self._value(day, priced)

    def _contribute(self, day: date) -> None:
        """Contributions of who is held, and of who ever was: they earned a part of the level."""
        bases = {period: base_of(self._days, target) for period, target in targets(day).items()}
        if self._days[0].year == day.year:  # the basket's first year begins with it
            bases["ytd"] = self._days[0]
        for symbol, last_held in self._last_held.items():
            for basis, kind in self._quantities:
                earned = self._earned[symbol, basis, kind]
                self._earned_until[symbol, basis, kind, day] = earned
                of_periods = tuple(
                    None
                    if base is None
                    else (earned - self._earned_until.get((symbol, basis, kind, base), 0.0))
                    / self.outcome.levels[base, basis, kind]
                    for base in bases.values()
                )
                is_held = last_held == day
                of_day = self.outcome.members[symbol, day, basis, kind] if is_held else (0.0, 0.0, None, 0.0)
                self.outcome.members[symbol, day, basis, kind] = (*of_day, *of_periods, earned / 100)

    def _rebalance(self, day: date) -> None:
        market, next_session = self.market, self._next_session(day)
        members = [member.symbol for member in self.basket.members if member.covers(next_session)]
        wealth: dict[str, float] = {}
        for symbol in members:
            shares, _, is_carried_back = market.share_count(symbol, day)
            if not market.is_priced(symbol, day):
                continue
            if self.basket.weighting == "equal":
                wealth[symbol] = 1.0
            elif shares is not None and not is_carried_back:
                close = market.close(symbol, day)
                assert close is not None
                wealth[symbol] = shares * close * market.dollars(symbol, day)
        if members and not wealth:
            return
        self._seen = day
        self._frozen = {symbol: market.dollars(symbol, day) for symbol in wealth}
        for (basis, kind), level in self._levels.items():
            self._quantities[basis, kind] = {
                symbol: level * value / sum(wealth.values()) / self._worth(symbol, day, basis)
                for symbol, value in wealth.items()
            }

    def _value(self, day: date, priced: list[str]) -> None:
        market = self.market
        today: dict[str, tuple[float | None, float, float, float | None]] = {}
        for symbol in priced:
            close, dollars = market.close(symbol, day), market.dollars(symbol, day)
            shares, _, _ = market.share_count(symbol, day)
            assert close is not None
            today[symbol] = (None if shares is None else shares * close * dollars, close, dollars, shares)
        self._valued[day] = today
        values = [value for value, *_ in today.values()]
        total = sum(value for value in values if value is not None) if values and None not in values else None
        self.outcome.values[day] = total
        base = base_of(self._days, targets(day)["ytd"])
        if total is None or base is None or self.outcome.values[base] is None:
            self.outcome.effects[day] = None
            return
        effects = np.zeros(4)
        for symbol in today.keys() | self._valued[base].keys():
            now, then = today.get(symbol), self._valued[base].get(symbol)
            if now is None or then is None:
                effects[3] += (now[0] if now else 0.0) - (then[0] if then else 0.0)  # type: ignore[operator]  # whole values have no None
                continue
            split = market.split_factor(symbol, base, day)
            ratios = (now[1] * split / then[1], now[2] / then[2], now[3] / split / then[3])  # type: ignore[operator]  # a share count is there where the value is
            effects[:3] += _along_the_way(then[0], now[0], ratios)  # type: ignore[arg-type]  # whole values have no None
        self.outcome.effects[day] = tuple(effects)  # type: ignore[assignment]  # NumPy does not tell that there are four


_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def _along_the_way(then: float, now: float, ratios: tuple[float, float, float]) -> np.ndarray:
    """What each factor adds while a value grows evenly from ``then`` to ``now``: the integral of value times the factor's growth."""
    growth = log(now / then)
    mean = sum(
        weight / 2 * then * exp(growth * (point + 1) / 2) for point, weight in zip(_POINTS, _WEIGHTS, strict=True)
    )
    return np.array([mean * log(ratio) for ratio in ratios])
