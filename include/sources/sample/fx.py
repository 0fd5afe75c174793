"""Simulated reference rates: log-Brownian bridges through rates near the ECB's, on the days of its fixings."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from math import exp, log, sqrt

from include.sources.base import Window
from include.sources.sample import facts
from include.sources.sample.paths import bridge, fold, normals

FxRow = tuple[str, str, date, float]  # the columns of SCHEMAS[Dataset.FX_RATES], in order

_FIXINGS_A_YEAR = 256
_DECIMALS = 4


@cache
def fixing_days() -> tuple[date, ...]:
    """Weekdays from the first to the last simulated day, without the closing days of TARGET."""
    span = (facts.LAST_DAY - facts.FIRST_DAY).days
    days = (facts.FIRST_DAY + timedelta(offset) for offset in range(span + 1))
    return tuple(day for day in days if day.isoweekday() <= 5 and day not in facts.fx_holidays())


def fx_rows(name: str, window: Window) -> list[FxRow]:
    """Rates of one pair (``USDHKD``) by date, in the FX dataset's columns: units of quote currency for one of base."""
    pair, days, anchors = facts.fx_pairs()[name], fixing_days(), facts.fx_anchors()[name]
    volatility = pair.annual_volatility / sqrt(_FIXINGS_A_YEAR)
    steps = [volatility * normals(f"fx|{name}|{day}", 1)[0] for day in days]
    values = bridge(steps, {days.index(day): log(rate) for day, rate in anchors.items()})
    lower, upper = log(pair.lower), log(pair.upper)
    first = window.start or date.min
    return [
        (
            pair.base,
            pair.quote,
            day,
            anchors[day] if day in anchors else round(exp(fold(value, lower, upper)), _DECIMALS),
        )
        for day, value in zip(days, values, strict=True)
        if first <= day <= window.end
    ]
