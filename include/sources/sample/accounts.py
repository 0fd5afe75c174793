"""Simulated figures of the accounts: years and halves of companies in Hong Kong, years and quarters of those in New York."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import NamedTuple

from include.sources.base import Window
from include.sources.sample import facts

_NOTE = "simulated"
_DECIMALS = 4
_SHARES_OF_YEAR = {2: (0.48,), 4: (0.23, 0.24, 0.25)}
"""Of the year's earnings, by the number of its parts. The last part has the rest."""
_DAYS_TO_PUBLICATION = {(2, "annual"): 85, (2, "interim"): 58, (4, "annual"): 40, (4, "quarter"): 32}
"""By the number of parts of a year."""


class FundamentalsRow(NamedTuple):
    """The columns of the fundamentals dataset, in order."""

    symbol: str
    period_type: str
    period_end: date
    published_on: date
    currency: str
    eps: float
    book_value_per_share: float
    dividends_per_share: float
    shares_per_receipt: float
    note: str
    basis_date: date


def fundamentals_rows(symbol: str, window: Window) -> list[FundamentalsRow]:
    """What the company has published by the last day, by the end of the period.

    A year earns what its consensus came to at its end.
    """
    accounts = facts.accounts()[symbol]
    rows = [row for year in facts.fiscal_years()[symbol] for row in _year_rows(accounts, year)]
    first = window.start or date.min
    return sorted(
        (row for row in rows if first <= row.period_end <= window.end and row.published_on <= facts.LAST_DAY),
        key=lambda row: (row.period_end, row.period_type),
    )


def _year_rows(accounts: facts.Accounts, year: facts.FiscalYear) -> list[FundamentalsRow]:
    parts = accounts.parts_of_year
    earned = [round(year.eps_last * share, _DECIMALS) for share in _SHARES_OF_YEAR[parts]]
    figures = [
        ("interim" if parts == 2 else "quarter", _months_before(year.end, 12 - 12 // parts * number), eps)
        for number, eps in enumerate(earned, 1)
    ]
    if parts == 4:
        figures.append(("quarter", year.end, round(year.eps_last - sum(earned), _DECIMALS)))
    return [_row(accounts, *figure) for figure in [*figures, ("annual", year.end, year.eps_last)]]


def _row(accounts: facts.Accounts, period_type: str, period_end: date, eps: float) -> FundamentalsRow:
    days = _DAYS_TO_PUBLICATION[accounts.parts_of_year, period_type]
    return FundamentalsRow(
        symbol=accounts.symbol,
        period_type=period_type,
        period_end=period_end,
        published_on=period_end + timedelta(days=days),
        currency=facts.companies()[accounts.symbol].estimate_currency,
        eps=eps,
        book_value_per_share=round(_book_value(accounts, period_end), _DECIMALS),
        dividends_per_share=round(eps * accounts.payout_ratio, _DECIMALS),
        shares_per_receipt=1.0,
        note=_NOTE,
        basis_date=facts.LAST_DAY,
    )


def _book_value(accounts: facts.Accounts, day: date) -> float:
    """On a straight line from the first to the last simulated day, and before it."""
    passed = (day - facts.FIRST_DAY) / (facts.LAST_DAY - facts.FIRST_DAY)
    return accounts.book_first + (accounts.book_last - accounts.book_first) * max(0.0, passed)


def _months_before(day: date, months: int) -> date:
    """The last day of the month so many months before."""
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(years, month + 1, monthrange(years, month + 1)[1])
