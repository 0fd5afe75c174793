"""Simulated risk-free rates: Brownian bridges through round figures, on the days of the FX rates."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from include.sources.base import Window
from include.sources.sample import facts
from include.sources.sample.fx import fixing_days
from include.sources.sample.paths import bridge, normals

_NOTE = "simulated"
_DAILY_MOVE = 0.0001
_DECIMALS = 4


class RiskFreeRow(NamedTuple):
    """The columns of the risk-free dataset, in order."""

    currency: str
    tenor: str
    date: date
    rate: float
    quote_basis: str
    note: str


def risk_free_rows(currency: str, window: Window) -> list[RiskFreeRow]:
    """Rates of one currency by date, as a fraction a year and never below zero."""
    series, days = facts.risk_free_series()[currency], fixing_days()
    steps = [_DAILY_MOVE * normals(f"risk_free|{currency}|{day}", 1)[0] for day in days]
    values = bridge(steps, {days.index(day): rate for day, rate in series.anchors.items()})
    first = window.start or date.min
    return [
        RiskFreeRow(currency, series.tenor, day, max(0.0, round(value, _DECIMALS)), series.quote_basis, _NOTE)
        for day, value in zip(days, values, strict=True)
        if first <= day <= window.end
    ]
