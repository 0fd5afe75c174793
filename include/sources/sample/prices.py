"""Simulated daily prices: log-Brownian bridges through anchor closes, with ranges, volumes and corporate actions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date
from math import exp, inf, log, prod, sqrt
from typing import NamedTuple

from include.seeds.calendars import Session
from include.sources.base import Window
from include.sources.sample import facts
from include.sources.sample.paths import bridge, fold, normals

_SESSIONS_A_YEAR = 252
_VOLUME_LOT = 100
_HALF_DAY_VOLUME_RATIO = 0.5
_SMALLEST_CLOSE = 0.01
Day = date  # within PriceRow, date is the column


class PriceRow(NamedTuple):
    """The columns of the prices dataset, in order."""

    symbol: str
    date: Day
    open: float
    high: float
    low: float
    close: float
    volume: int | None
    dividend: float | None
    dividend_currency: str | None
    split_ratio: float | None
    currency: str
    basis_date: Day


def round_to_tick(price: float, table: str) -> float:
    """``price`` on the nearest step of a table in ``price_ticks.csv``."""
    ticks = facts.price_ticks()[table]
    _, tick = ticks[bisect_right(ticks, price, key=lambda row: row[0]) - 1]
    return round(round(price / tick) * tick, 4)


def price_rows(symbol: str, sessions: Sequence[Session], window: Window) -> list[PriceRow]:
    """Prices of one symbol, by date.

    Args:
        symbol: one of ``facts.instruments()``.
        sessions: those of its exchange, over the whole simulated span: what a day gets does not depend on the window.
        window: days to return.

    Returns:
        Prices in the instrument's currency, split-adjusted to ``facts.LAST_DAY``; volume in shares on that basis, None
        for an index.
    """
    instrument = facts.instruments()[symbol]
    closes = _closes(instrument, [session.date for session in sessions])
    dividends, splits = _actions(symbol, [session.date for session in sessions])
    first, last = window.start or date.min, window.end
    rows: list[PriceRow] = []
    for previous, session in zip((*sessions[:1], *sessions), sessions, strict=False):
        day = session.date
        if not first <= day <= last:
            continue
        close = closes[day]
        opening, high, low, volume = _day(instrument, session, closes[previous.date], close)
        dividend, dividend_currency = dividends.get(day, (None, None))
        rows.append(
            PriceRow(
                symbol=symbol,
                date=day,
                open=opening,
                high=high,
                low=low,
                close=close,
                volume=volume,
                dividend=dividend,
                dividend_currency=dividend_currency,
                split_ratio=splits.get(day),
                currency=instrument.currency,
                basis_date=facts.LAST_DAY,
            )
        )
    return rows


def _closes(instrument: facts.Instrument, days: list[date]) -> dict[date, float]:
    volatility = instrument.annual_volatility / sqrt(_SESSIONS_A_YEAR)
    own_share = sqrt(1 - instrument.market_correlation**2)
    steps = [
        volatility
        * (
            instrument.market_correlation * normals(f"market|{instrument.market}|{day}", 1)[0]
            + own_share * normals(f"close|{instrument.symbol}|{day}", 1)[0]
        )
        for day in days
    ]
    sessions = set(days)
    # An anchor on a day that calendar overrides take out of the sessions is passed over.
    anchors = {day: close for day, close in facts.anchors()[instrument.symbol].items() if day in sessions}
    values = bridge(steps, {bisect_left(days, day): log(close) for day, close in anchors.items()})
    closes = {}
    for day, value in zip(days, values, strict=True):
        if day in anchors:
            closes[day] = anchors[day]
            continue
        ceiling = min(
            (row.close for row in facts.ceilings().get(instrument.symbol, ()) if row.first <= day <= row.last),
            default=inf,
        )
        # A step below the ceiling, so that rounding does not reach it. The widest step of the table is always enough.
        highest = inf if ceiling == inf else log(ceiling - facts.price_ticks()[instrument.tick_table][-1][1])
        closes[day] = round_to_tick(exp(fold(value, log(_SMALLEST_CLOSE), highest)), instrument.tick_table)
    return closes


def _day(
    instrument: facts.Instrument, session: Session, previous_close: float, close: float
) -> tuple[float, float, float, int | None]:
    """Open, high, low and volume. The open takes part of the day's move; volume grows with the move."""
    volatility = instrument.annual_volatility / sqrt(_SESSIONS_A_YEAR)
    at_open, above, below, traded = normals(f"day|{instrument.symbol}|{session.date}", 4)
    move = log(close / previous_close)
    opening = round_to_tick(previous_close * exp(0.4 * move + 0.35 * volatility * at_open), instrument.tick_table)
    top, bottom = max(opening, close), min(opening, close)
    # An anchor need not lie on the price step, so a rounded high may fall below it.
    high = max(top, round_to_tick(top * exp(0.45 * volatility * abs(above)), instrument.tick_table))
    low = min(bottom, round_to_tick(bottom * exp(-0.45 * volatility * abs(below)), instrument.tick_table))
    if instrument.daily_volume is None:
        return opening, high, low, None
    activity = exp(0.25 * traded + 0.25 * min(abs(move) / volatility, 4.0) - 0.2)
    typical = instrument.daily_volume * (_HALF_DAY_VOLUME_RATIO if session.is_half_day else 1.0)
    return opening, high, low, round(typical * activity / _VOLUME_LOT) * _VOLUME_LOT


def _actions(symbol: str, days: list[date]) -> tuple[dict[date, tuple[float, str]], dict[date, float]]:
    """Dividends (amount, currency) on the latest split basis, and split ratios, by session.

    An ex-date that calendar overrides take out of the sessions moves to the next one.
    """

    def session_of(ex_date: date) -> date | None:
        position = bisect_left(days, ex_date)
        return days[position] if position < len(days) else None

    splits = facts.splits().get(symbol, [])
    dividends = {}
    for dividend in facts.dividends().get(symbol, []):
        if day := session_of(dividend.ex_date):
            ratio = prod(split.ratio for split in splits if split.ex_date > dividend.ex_date)
            dividends[day] = (round(dividend.amount / ratio, 6), dividend.currency)
    ratios = {day: split.ratio for split in splits if (day := session_of(split.ex_date))}
    return dividends, ratios
