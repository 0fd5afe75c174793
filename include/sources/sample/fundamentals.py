"""Simulated share counts at quarter ends, and weekly snapshots of consensus EPS."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from itertools import pairwise
from math import exp, log
from typing import NamedTuple

from include.sources.base import Window
from include.sources.sample import facts
from include.sources.sample.paths import bridge, normals

_NOTE = "simulated"
_COUNT_STEP = 100_000
"""Counts between the known ones are rounded to this many shares."""
_WEEKLY_EPS_VOLATILITY = 0.004
_EPS_DECIMALS = 4
_SECOND_YEAR_DISPERSION_RATIO = 1.5
"""How much wider analysts spread about next year than about this one."""
_SECOND_YEAR_COVERAGE_RATIO = 0.9


class SharesRow(NamedTuple):
    """The columns of the shares dataset, in order."""

    symbol: str
    as_of: date
    shares_outstanding: float
    share_class: str
    note: str
    basis_date: date


class EstimateRow(NamedTuple):
    """The columns of the estimates dataset, in order."""

    symbol: str
    as_of: date
    metric: str
    period_type: str
    period_end: date
    period_label: str
    mean: float
    low: float
    high: float
    analyst_count: int
    currency: str
    note: str
    basis_date: date


def share_rows(symbol: str, window: Window) -> list[SharesRow]:
    """Shares outstanding of all classes at each quarter end, geometric between the known year ends.

    They are on the split basis of the last day.
    """
    company = facts.companies()[symbol]
    counts: list[tuple[date, float]] = []
    for (start, before), (_, after) in pairwise(facts.share_counts()[symbol]):
        counts.append((start, before))
        for quarter in (1, 2, 3):
            year, month = start.year + 1, 3 * quarter
            count = round(before * (after / before) ** (quarter / 4) / _COUNT_STEP) * _COUNT_STEP
            counts.append((date(year, month, monthrange(year, month)[1]), float(count)))
    counts.append(facts.share_counts()[symbol][-1])
    first = window.start or date.min
    return [
        SharesRow(symbol, as_of, count, company.share_class, _NOTE, facts.LAST_DAY)
        for as_of, count in counts
        if first <= as_of <= window.end
    ]


def estimate_rows(symbol: str, window: Window) -> list[EstimateRow]:
    """Annual EPS of this and the next fiscal year (``0y``, ``+1y``), one snapshot each Monday, by ``as_of`` and period.

    A consensus drifts from its first to its last value, with small weekly noise. The years roll over on the first
    Monday after a fiscal year has ended. EPS is in the company's estimate currency, on the split basis of the last day.
    """
    first = window.start or date.min
    rows = [row for year in facts.fiscal_years()[symbol] for row in _year_rows(facts.companies()[symbol], year)]
    return sorted(
        (row for row in rows if first <= row.as_of <= window.end), key=lambda row: (row.as_of, row.period_end)
    )


def _year_rows(company: facts.Company, year: facts.FiscalYear) -> list[EstimateRow]:
    next_year_from, this_year_from = (year.end.replace(year=year.end.year - years) for years in (2, 1))
    mondays = [day for day in _mondays() if next_year_from < day <= year.end]
    steps = [_WEEKLY_EPS_VOLATILITY * normals(f"eps|{company.symbol}|{year.end}|{day}", 1)[0] for day in mondays]
    values = bridge(steps, {0: log(year.eps_first), len(mondays) - 1: log(year.eps_last)})
    rows: list[EstimateRow] = []
    for day, value in zip(mondays, values, strict=True):
        is_this_year = day > this_year_from
        # Low and high follow from the rounded mean, so that they are the same wherever exp() differs in its last digit.
        mean = round(exp(value), _EPS_DECIMALS)
        dispersion = company.estimate_dispersion * (1 if is_this_year else _SECOND_YEAR_DISPERSION_RATIO)
        analysts = company.analyst_count if is_this_year else round(company.analyst_count * _SECOND_YEAR_COVERAGE_RATIO)
        rows.append(
            EstimateRow(
                symbol=company.symbol,
                as_of=day,
                metric="eps",
                period_type="annual",
                period_end=year.end,
                period_label="0y" if is_this_year else "+1y",
                mean=mean,
                low=round(mean * (1 - dispersion), _EPS_DECIMALS),
                high=round(mean * (1 + dispersion), _EPS_DECIMALS),
                analyst_count=analysts,
                currency=company.estimate_currency,
                note=_NOTE,
                basis_date=facts.LAST_DAY,
            )
        )
    return rows


def _mondays() -> list[date]:
    monday = facts.FIRST_DAY + timedelta(7 - facts.FIRST_DAY.weekday())
    return [monday + timedelta(weeks=week) for week in range((facts.LAST_DAY - monday).days // 7 + 1)]
