"""Yahoo's chart answer before yfinance reads it: one bad bar or event must not cost the others.

yfinance puts an event of a day without a bar on the session before, keeps the first of two bars with one stamp, and
gives up on the whole symbol where one cell is no number, one stamp no time, or a list is missing that it does not need.
So it gets the bars only, and these with times and numbers alone.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_CELLS = {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}
"""Yahoo's names of a bar's values, and yfinance's."""
_LARGEST_VOLUME = 2**63 - 1
_DECIMAL = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Event:
    """A dividend or a split.

    Attributes:
        day: its ex-date in the exchange's zone, a session or not.
        value: amount of the dividend a share, or new shares for one old. Yahoo may send one below zero.
        currency: of a dividend, where Yahoo gives it one of its own.
    """

    day: date
    action: Literal["dividend", "split"]
    value: float
    currency: str | None = None


@dataclass
class ChartAnswer:
    """What a chart says beside the bars that yfinance reads.

    Attributes:
        events: dividends and splits by ex-date.
        contradictory_bars: day and values, by yfinance's column names, of all bars that share a stamp and differ.
        without_volume: days of bars without a volume, which yfinance would make 0.
        unreadable: what was left out, such as ``a dividend ({"amount": null})``.
    """

    events: list[Event] = field(default_factory=list)
    contradictory_bars: list[tuple[date, dict[str, Any]]] = field(default_factory=list)
    without_volume: set[date] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)


def number(value: object) -> float | None:
    """A finite number, plain, as text or in Yahoo's ``{"raw": ...}``; None for anything else."""
    if isinstance(value, dict):
        value = value.get("raw")
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def mapping(value: object) -> dict[str, Any]:
    """``value`` where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def separate(content: bytes) -> tuple[bytes, ChartAnswer]:
    """The answer for yfinance, and what it is not to read.

    An answer in another form than a chart's comes back as it is: yfinance says what is wrong with it.
    """
    answer = ChartAnswer()
    try:
        payload = json.loads(content)
        result = payload["chart"]["result"][0]
        zone = ZoneInfo(result["meta"]["exchangeTimezoneName"])
    except (ValueError, LookupError, TypeError, ZoneInfoNotFoundError, OSError):
        return content, answer
    mapping(result["meta"]).setdefault("instrumentType", "EQUITY")  # yfinance insists on one; nothing here uses it
    answer.events, answer.unreadable = _events(mapping(result.pop("events", None)), zone)
    _clean_bars(result, zone, answer)
    return json.dumps(payload).encode(), answer


def _events(events: dict[str, Any], zone: ZoneInfo) -> tuple[list[Event], list[str]]:
    """The events, and in words those that have no day or no number. A number below zero is for raw to reject."""
    found, unreadable = [], []
    for action, event in [
        *(("dividend", event) for event in _each(events.get("dividends"))),
        *(("split", event) for event in _each(events.get("splits"))),
    ]:
        given = mapping(event)
        day, currency = _day(given.get("date"), zone), given.get("currency")
        if action == "dividend":
            value = number(given.get("amount"))
        else:
            value = _ratio(number(given.get("numerator")), number(given.get("denominator")))
        if action == "dividend" and value == 0:
            continue
        is_currency = currency is None or isinstance(currency, str)
        if day is None or value is None or not is_currency:
            unreadable.append(f"a {action} ({_shown(event)})")
        elif action == "dividend":
            found.append(Event(day, "dividend", value, currency or None))
        else:
            found.append(Event(day, "split", value))
    return sorted(found, key=lambda event: event.day), unreadable


def _each(events: object) -> list[Any]:
    """Yahoo's events by their time, or as a list."""
    return list(events) if isinstance(events, list) else list(mapping(events).values())


def _ratio(up: float | None, down: float | None) -> float | None:
    """New shares for one old. None where that is none: of a zero, or of numbers that make no finite one."""
    return number(up / down) if up and down else None


def _shown(value: object) -> str:
    return json.dumps(value)[:100]


def _clean_bars(result: dict[str, Any], zone: ZoneInfo, answer: ChartAnswer) -> None:
    """Replace cells that are no number with null, and leave out bars whose stamp is no time; ``answer`` says which."""
    try:
        stamps = [number(stamp) if _day(stamp, zone) else None for stamp in result["timestamp"]]
        quote = result["indicators"]["quote"][0]
        cells = {name: [number(cell) for cell in quote.get(name) or [None] * len(stamps)] for name in _CELLS}
        cells["volume"] = [None if abs(cell or 0) > _LARGEST_VOLUME else cell for cell in cells["volume"]]
        bars = list(zip(stamps, *cells.values(), strict=True))
    except (LookupError, TypeError, ValueError, AttributeError):
        return
    if not quote:  # a chart without a bar, which yfinance has its own word for
        return
    answer.unreadable += [
        f"a bar (timestamp {_shown(given)})"
        for given, stamp in zip(result["timestamp"], stamps, strict=True)
        if stamp is None
    ]
    bars = [bar for bar in bars if bar[0] is not None]
    result["timestamp"] = [int(bar[0] or 0) for bar in bars]  # none is None here
    result["indicators"] = {"quote": [{name: [bar[place] for bar in bars] for place, name in enumerate(_CELLS, 1)}]}
    versions: dict[float, list[tuple[float | None, ...]]] = {}
    for stamp, *values in bars:
        if stamp is not None and tuple(values) not in versions.setdefault(stamp, []):
            versions[stamp].append(tuple(values))
    for stamp, differing in versions.items():
        day = _day(stamp, zone)
        if day and len({values[:4] for values in differing}) > 1:
            answer.contradictory_bars += [
                (day, dict(zip(_CELLS.values(), values, strict=True))) for values in differing
            ]
        if day and differing[0][-1] is None:
            answer.without_volume.add(day)


def _day(stamp: object, zone: ZoneInfo) -> date | None:
    seconds = number(stamp)
    if seconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(seconds, zone)
    except (ValueError, OverflowError, OSError):
        return None
    # Around a change to summer time Yahoo puts midnight an hour or two early; yfinance moves such bars alike.
    if moment.minute == 0 and moment.hour in (22, 23):
        moment += timedelta(hours=2)
    return moment.date()
