"""Figures as a reader sees them: rounded, with the unrounded value beside them for programs."""

from __future__ import annotations

from datetime import date, datetime

from markupsafe import Markup

MISSING = Markup('<span class="missing">n/a</span>')
_BILLIONS_FROM = 1e8


def _data(value: float, text: str) -> Markup:
    """``<data>`` carries the value of the marts, so that what is shown can be checked against them."""
    return Markup('<data value="{}">{}</data>').format(repr(value), text)


def percent(value: float | None, digits: int = 1) -> Markup:
    """A ratio without a sign for gains: weights, coverage."""
    return MISSING if value is None else _data(value, f"{_no_negative_zero(value * 100, digits):.{digits}f}%")


def change(value: float | None) -> Markup:
    """A ratio that is a gain or a loss, with its sign."""
    return MISSING if value is None else _data(value, f"{_no_negative_zero(value * 100, 1):+.1f}%")


def points(value: float | None) -> Markup:
    """A difference of two ratios, in percentage points."""
    return MISSING if value is None else _data(value, f"{_no_negative_zero(value * 100, 1):+.1f}")


def times(value: float | None) -> Markup:
    """A multiple of earnings."""
    return MISSING if value is None else _data(value, f"{value:.1f}")


def dollars(value: float | None, sign: str = "+") -> Markup:
    """US dollars in billions, as headlines say them; small ones in millions.

    Args:
        sign: ``+`` for changes, ``-`` for values, which are marked where they are negative alone.
    """
    if value is None:
        return MISSING
    if value == 0:
        return _data(value, "$0")
    scale, name = (1e9, "billion") if abs(value) >= _BILLIONS_FROM else (1e6, "million")
    number = f"{_no_negative_zero(value / scale, 1):{sign},.1f}"
    mark = number[0] if number[0] in "+-" else ""
    return _data(value, f"{mark}${number.lstrip('+-')} {name}")


def level(value: float | None) -> Markup:
    """The close of an index."""
    return MISSING if value is None else _data(value, f"{value:,.2f}")


def plain(value: float | None) -> Markup:
    """A number of no unit: beta, correlation."""
    return MISSING if value is None else _data(value, f"{_no_negative_zero(value, 2):.2f}")


def worded(text: str | None, value: float | None) -> Markup:
    """What the marts say of a value in words, with the value."""
    return MISSING if value is None or text is None else _data(value, text)


def day(value: date | None) -> Markup:
    """A date in words."""
    if value is None:
        return MISSING
    return Markup('<time datetime="{}">{}</time>').format(f"{value:%Y-%m-%d}", f"{value:%-d %b %Y}")


def moment(value: datetime) -> Markup:
    """A time in UTC, to the minute."""
    return Markup('<time datetime="{}Z">{} UTC</time>').format(
        value.isoformat(timespec="seconds"), f"{value:%-d %b %Y, %H:%M}"
    )


def _no_negative_zero(value: float, digits: int) -> float:
    return round(value, digits) + 0.0
