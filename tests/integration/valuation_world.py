"""A small world for the valuation marts: three exchanges, prices in dollars, Hong Kong dollars and pence, and estimates as vendors really send them.

Most of it is drawn from a seeded generator; ``PENCE.L`` and ``PENNY.L`` are set by hand, and so is the bad input that a gate has to name.
"""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from tests.pipeline import forget_default_securities

FIRST, LAST = date(2023, 7, 3), date(2025, 3, 7)
HOLD_OUT = 7
"""Sessions in a row that the suspended symbol misses: two more than a member may."""


class Company(NamedTuple):
    symbol: str
    exchange: str
    currency: str
    estimate_currency: str
    year_end_month: int
    days_between_snapshots: int
    earnings: float


COMPANIES = (
    Company("HK1.HK", "XHKG", "HKD", "CNY", 3, 7, 4.0),
    Company("HK2.HK", "XHKG", "HKD", "CNY", 12, 14, -2.0),
    Company("HK3.HK", "XHKG", "HKD", "USD", 12, 30, 0.05),
    Company("HK4.HK", "XHKG", "HKD", "HKD", 6, 7, 9.0),
    Company("US1", "XNYS", "USD", "USD", 12, 7, 6.0),
    Company("US2", "XNYS", "USD", "USD", 9, 11, 12.0),
    Company("US3", "XNYS", "USD", "USD", 1, 45, 3.0),
    Company("US4", "XNYS", "USD", "USD", 12, 130, 5.0),  # between two snapshots its estimates get too old
    Company("US5", "XNYS", "USD", "USD", 12, 7, -0.02),  # about to make money
    Company("US6", "XNYS", "USD", "USD", 12, 0, 5.0),  # nobody covers it
    Company("UK1.L", "XLON", "GBp", "GBP", 3, 7, 0.3),
    Company("UK2.L", "XLON", "GBp", "USD", 12, 20, 0.9),
    Company("UK3.L", "XLON", "GBp", "GBp", 12, 7, 35.0),
    Company("MOVER", "XNYS", "USD", "USD", 12, 7, 5.0),  # moves its fiscal year end
    Company("EURO", "XNYS", "USD", "EUR", 12, 30, 5.0),  # no rate of its estimates' currency is fetched
)
BASKETS = {
    "world": [company.symbol for company in COMPANIES if company.symbol != "EURO"],
    "asia": ["HK1.HK", "HK2.HK", "HK3.HK", "HK4.HK"],
    "losers": ["HK2.HK", "US5"],
    "pair": ["US1", "UK1.L"],
    "nobody": ["US6"],
    "uncounted": ["US1", "EURO"],  # no share count of EURO is known
}
MOVED_ON = date(2025, 1, 6)
"""From this snapshot on the fiscal years of MOVER end in September, not in December."""

Row = dict[str, object]


def write_world(files: Path, seeds: Path, seed: int) -> None:
    """Write the export into ``files`` and the seeds that go with it into ``seeds``, where the project's own stand."""
    files.mkdir()
    draw = random.Random(seed)
    _write_seeds(seeds)
    calendars = load_calendars(load_reference(seeds), LAST.year)
    sessions = {
        name: [session.date for session in calendar.between(FIRST, LAST)] for name, calendar in calendars.items()
    }
    prices = [row for company in COMPANIES for row in _prices(company, sessions[company.exchange], draw)]
    _write(files / "prices.csv", [*prices, *_pence_prices(sessions["XLON"])])
    _write(files / "fx_rates.csv", _rates(draw))
    shares = [row for company in COMPANIES if company.symbol != "EURO" for row in _shares(company, draw)]
    _write(files / "shares.csv", [*shares, *_pence_shares(), _count("US1", date(2024, 9, 30), -5e6)])
    estimates = [row for company in COMPANIES for row in _estimates(company, draw)]
    _write(
        files / "estimates.csv",
        [*estimates, *_pence_estimates(), _estimate("US2", date(2031, 1, 1), "0y", date(2031, 9, 30), 1.0, "USD")],
    )


def _write_seeds(seeds: Path) -> None:
    forget_default_securities(seeds)
    with (seeds / "exchanges.csv").open("a", encoding="utf-8") as file:
        file.write("XLON,uk,London Stock Exchange,XLON,Europe/London,0 18 * * 1-5,\n")
    rows = [
        (company.symbol, company.exchange, company.currency, company.estimate_currency)
        for company in COMPANIES
        if company.symbol != "EURO"
    ]
    rows += [("EURO", "XNYS", "USD", ""), ("PENCE.L", "XLON", "GBp", "GBP"), ("PENNY.L", "XLON", "GBp", "")]
    _write(
        seeds / "securities.csv",
        [
            {
                "symbol": symbol,
                "name": f"{symbol} Ltd",
                "kind": "equity",
                "exchange": exchange,
                "currency": currency,
                "reporting_currency": reporting,
            }
            for symbol, exchange, currency, reporting in rows
        ],
    )
    baskets = {**BASKETS, "sterling": ["PENCE.L"]}
    _write(
        seeds / "baskets.csv",
        [
            {
                "basket_id": basket,
                "name": basket,
                "weighting": "equal",
                "rebalance": "annual",
                "base_date": "",
                "comparator_basket_id": "",
            }
            for basket in baskets
        ],
    )
    _write(
        seeds / "basket_members.csv",
        [
            {"basket_id": basket, "symbol": symbol, "valid_from": "", "valid_to": ""}
            for basket, members in baskets.items()
            for symbol in members
        ],
    )


def _price(
    symbol: str, day: date, close: float, currency: str, dividend: object = "", dividend_currency: str = ""
) -> Row:
    return {
        "symbol": symbol, "date": day, "close": close, "volume": 1000, "currency": currency, "dividend": dividend,
        "dividend_currency": dividend_currency,
    }  # fmt: skip


def _prices(company: Company, sessions: list[date], draw: random.Random) -> Iterable[Row]:
    close = (
        abs(company.earnings)
        * draw.uniform(8, 30)
        * (100 if company.currency == "GBp" and company.estimate_currency != "GBp" else 1)
        + 2
    )
    suspended = sessions[200 : 200 + HOLD_OUT] if company.symbol == "HK4.HK" else []
    for day in sessions:
        close *= 1 + draw.uniform(-0.03, 0.03)
        if day not in suspended:
            yield _price(company.symbol, day, close, company.currency)


def _rates(draw: random.Random) -> Iterable[Row]:
    """Walks that end at these rates, on every weekday but ten days of CNY: on the last of those no estimate in it can be converted."""
    days = [LAST - timedelta(days=age) for age in range((LAST - FIRST).days + 5)]
    for currency, rate in (("HKD", 7.8), ("CNY", 7.2), ("GBP", 0.8)):
        for day in days:
            is_silent = currency == "CNY" and date(2024, 8, 5) <= day <= date(2024, 8, 14)
            if day.weekday() < 5 and not is_silent:
                yield {"base_currency": "USD", "quote_currency": currency, "date": day, "rate": rate}
            rate *= 1 + draw.uniform(-0.004, 0.004)


def _count(symbol: str, day: date, shares: float) -> Row:
    return {"symbol": symbol, "as_of": day, "shares_outstanding": shares}


def _shares(company: Company, draw: random.Random) -> Iterable[Row]:
    shares, day = draw.uniform(1e6, 9e7), FIRST + timedelta(days=draw.randint(0, 90))
    while day <= LAST:
        yield _count(company.symbol, day, round(shares))
        shares *= draw.uniform(0.93, 1.05)
        day += timedelta(days=draw.randint(40, 130))


def _estimate(symbol: str, day: date, period: str, end: date, mean: float, currency: str, analysts: int = 5) -> Row:
    return {
        "symbol": symbol,
        "as_of": day,
        "metric": "eps",
        "period": period,
        "period_end": end,
        "mean": mean,
        "currency": currency,
        "analyst_count": analysts,
    }


def _year_end(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])


def _estimates(company: Company, draw: random.Random) -> Iterable[Row]:
    """Snapshots with drifting means for three years; now and then a year is missing, the old one still told, or nothing revised."""
    if not company.days_between_snapshots:
        return
    means: dict[date, float] = {}
    day = FIRST + timedelta(days=draw.randint(0, 20))
    while day <= LAST:
        month = 9 if company.symbol == "MOVER" and day >= MOVED_ON else company.year_end_month
        running = _year_end(day.year, month)
        keeps_last_year = draw.random() < 0.15 and company.symbol != "MOVER"
        first_year = running.year + (running < day) - keeps_last_year
        ends = [_year_end(first_year + years, month) for years in range(3)]
        currency = "HKD" if company.symbol == "HK1.HK" and day < date(2024, 6, 1) else company.estimate_currency
        for period, end in zip(("0y", "+1y", "+2y"), ends, strict=True):
            if draw.random() < 0.7:
                means[end] = means.get(end, company.earnings) + draw.gauss(0, 0.04) * max(abs(company.earnings), 0.1)
            is_told = draw.random() > (0.04 if period == "0y" else 0.1)
            mean = 0.0 if draw.random() < 0.01 else means.get(end, company.earnings)
            analysts = 0 if company.symbol == "UK2.L" else draw.randint(1, 40)
            if is_told:
                yield _estimate(company.symbol, day, period, end, mean, currency, analysts)
        yield _estimate(company.symbol, day, "0q", _year_end(day.year, 3 * ((day.month + 2) // 3)), 1.0, currency)
        day += timedelta(days=max(1, company.days_between_snapshots + draw.randint(-2, 2)))


def _pence_prices(sessions: list[date]) -> Iterable[Row]:
    """PENCE.L at 400 pence until its last day's 500, with a dividend told in pence and one in pounds; PENNY.L at 8 pence."""
    for day in sessions:
        dividend = {date(2024, 11, 14): (20.0, ""), date(2025, 2, 13): (0.1, "GBP")}.get(day, ("", ""))
        yield _price("PENCE.L", day, 500.0 if day == LAST else 400.0, "GBp", *dividend)
        yield _price("PENNY.L", day, 8.0, "GBp")


def _pence_shares() -> list[Row]:
    return [_count("PENCE.L", date(2024, 12, 31), 1e6), _count("PENNY.L", date(2024, 12, 31), 5e7)]


def _pence_estimates() -> list[Row]:
    """The same earnings, told in pounds for one and in pence for the other: 0.25 pounds in 2025 and 0.40 in 2026."""
    day = date(2025, 3, 3)
    return [
        _estimate(symbol, day, period, _year_end(year, 12), mean * units, currency)
        for symbol, units, currency in (("PENCE.L", 1, "GBP"), ("PENNY.L", 100, "GBp"))
        for period, year, mean in (("0y", 2025, 0.25), ("+1y", 2026, 0.40))
    ]


def _write(path: Path, rows: Iterable[Row]) -> None:
    rows = list(rows)
    lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
