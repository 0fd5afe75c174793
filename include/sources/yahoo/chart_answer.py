"""Yahoo's chart answer before yfinance reads it: one bad bar or event must not cost the others.

yfinance puts an event of a day without a bar on the session before, keeps the first of two bars with one stamp, and
gives up on the whole symbol where one cell is no number. So it gets the bars only, and these with numbers alone.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_CELLS = {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}
"""Yahoo's names of a bar's values, and yfinance's."""
_LARGEST_VOLUME = 2**63 - 1


@dataclass(frozen=True)
class Event:
    """A dividend or a split.

    Attributes:
        day: its ex-date in the exchange's zone, a session or not.
        value: amount of the dividend a share, or new shares for one old.
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
        events: dividends and splits by ex-date. One without a day or a value is none.
        contradictory_bars: day and values, by yfinance's column names, of all bars that share a stamp and differ.
    """

    events: list[Event] = field(default_factory=list)
    contradictory_bars: list[tuple[date, dict[str, Any]]] = field(default_factory=list)


def number(value: object) -> float | None:
    """A finite number, plain or in Yahoo's ``{"raw": ...}``; None for anything else."""
    if isinstance(value, dict):
        value = value.get("raw")
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
    answer.events = _events(mapping(result.pop("events", None)), zone)
    answer.contradictory_bars = _clean_bars(result, zone)
    return json.dumps(payload).encode(), answer


def _events(events: dict[str, Any], zone: ZoneInfo) -> list[Event]:
    found = []
    for event in mapping(events.get("dividends")).values():
        day, amount = _day(mapping(event).get("date"), zone), number(mapping(event).get("amount"))
        if day and amount:
            currency = event.get("currency")
            found.append(Event(day, "dividend", amount, currency if isinstance(currency, str) and currency else None))
    for event in mapping(events.get("splits")).values():
        day = _day(mapping(event).get("date"), zone)
        up, down = number(mapping(event).get("numerator")), number(mapping(event).get("denominator"))
        if day and up and down:
            found.append(Event(day, "split", up / down))
    return sorted(found, key=lambda event: event.day)


def _clean_bars(result: dict[str, Any], zone: ZoneInfo) -> list[tuple[date, dict[str, Any]]]:
    """Replace cells that are no number with null; returns the bars that share a stamp and differ."""
    try:
        stamps = result["timestamp"]
        quote = result["indicators"]["quote"][0]
        for name in _CELLS:
            quote[name] = [number(cell) for cell in quote[name]]
        quote["volume"] = [None if abs(cell or 0) > _LARGEST_VOLUME else cell for cell in quote["volume"]]
        for adjusted in result["indicators"].get("adjclose", []):
            adjusted["adjclose"] = [number(cell) for cell in adjusted["adjclose"]]
        bars = list(zip(stamps, *(quote[name] for name in _CELLS), strict=True))
    except (LookupError, TypeError, ValueError, AttributeError):
        return []
    versions: dict[Any, list[tuple[float | None, ...]]] = {}
    for stamp, *cells in bars:
        if tuple(cells) not in versions.setdefault(stamp, []):
            versions[stamp].append(tuple(cells))
    return [
        (day, dict(zip(_CELLS.values(), cells, strict=True)))
        for stamp, differing in versions.items()
        if len({cells[:4] for cells in differing}) > 1 and (day := _day(stamp, zone))
        for cells in differing
    ]


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
