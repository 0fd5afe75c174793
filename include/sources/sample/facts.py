"""The tables of facts that the simulation starts from, each a CSV in ``tables/``, read once a process."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

TABLES_DIR = Path(__file__).resolve().parent / "tables"
FIRST_DAY = date(2020, 12, 31)
LAST_DAY = date(2025, 3, 7)
"""Last simulated day, and the day on whose split basis every per-share or share quantity stands."""


@dataclass(frozen=True)
class Instrument:
    """A simulated equity or index.

    Attributes:
        market: whose common factor moves it (``hk``, ``us``).
        tick_table: the table in ``price_ticks.csv`` that its prices are rounded by.
        annual_volatility: of log returns, as a ratio.
        market_correlation: of its daily moves with the market's factor.
        daily_volume: typical shares a day on the latest split basis; None for an index.
    """

    symbol: str
    market: str
    currency: str
    tick_table: str
    annual_volatility: float
    market_correlation: float
    daily_volume: int | None


@dataclass(frozen=True)
class Company:
    """What share counts and estimates say about a company beside their numbers.

    Attributes:
        estimate_currency: in which the company reports, and so in which analysts estimate.
        estimate_dispersion: distance of the lowest and the highest estimate from the mean, as a ratio.
    """

    symbol: str
    share_class: str
    estimate_currency: str
    analyst_count: int
    estimate_dispersion: float


@dataclass(frozen=True)
class Ceiling:
    """A close that no day from ``first`` to ``last`` reaches, except a day with an anchor."""

    first: date
    last: date
    close: float


@dataclass(frozen=True)
class Dividend:
    """One cash dividend a share, as declared: before later splits, in the currency of the declaration."""

    ex_date: date
    amount: float
    currency: str


@dataclass(frozen=True)
class Split:
    ex_date: date
    ratio: float


@dataclass(frozen=True)
class FiscalYear:
    """The consensus EPS of one fiscal year, on the latest split basis, in the company's estimate currency.

    Attributes:
        eps_first: when it is first estimated, two years before its end (or when the simulation begins).
        eps_last: at its end (or when the simulation ends).
    """

    end: date
    eps_first: float
    eps_last: float


@dataclass(frozen=True)
class FxPair:
    """A simulated currency pair: units of ``quote`` for one ``base``, which stay between ``lower`` and ``upper``."""

    base: str
    quote: str
    annual_volatility: float
    lower: float
    upper: float


@dataclass(frozen=True)
class RiskFreeSeries:
    """How the rates of one currency are quoted, and near what they stand on some days.

    Attributes:
        quote_basis: ``yield``, or ``discount`` as of bills.
        anchors: rates by date, as a fraction a year.
    """

    currency: str
    tenor: str
    quote_basis: str
    anchors: dict[date, float]


def _rows(name: str) -> list[dict[str, str]]:
    with (TABLES_DIR / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def instruments() -> dict[str, Instrument]:
    return {
        row["symbol"]: Instrument(
            row["symbol"],
            row["market"],
            row["currency"],
            row["tick_table"],
            float(row["annual_volatility"]),
            float(row["market_correlation"]),
            int(row["daily_volume"]) if row["daily_volume"] else None,
        )
        for row in _rows("instruments")
    }


@cache
def companies() -> dict[str, Company]:
    return {
        row["symbol"]: Company(
            row["symbol"],
            row["share_class"],
            row["estimate_currency"],
            int(row["analyst_count"]),
            float(row["estimate_dispersion"]),
        )
        for row in _rows("companies")
    }


@cache
def anchors() -> dict[str, dict[date, float]]:
    """Closes by symbol and date that a path meets exactly; ``origin`` in the file says which of them are real."""
    closes: dict[str, dict[date, float]] = defaultdict(dict)
    for row in _rows("anchors"):
        closes[row["symbol"]][date.fromisoformat(row["date"])] = float(row["close"])
    return dict(closes)


@cache
def ceilings() -> dict[str, list[Ceiling]]:
    found: dict[str, list[Ceiling]] = defaultdict(list)
    for row in _rows("ceilings"):
        found[row["symbol"]].append(
            Ceiling(date.fromisoformat(row["first"]), date.fromisoformat(row["last"]), float(row["ceiling"]))
        )
    return dict(found)


@cache
def price_ticks() -> dict[str, list[tuple[float, float]]]:
    """Price steps by table, as ascending (price from, step).

    ``hkex`` is the Second Schedule (spread table) of the Rules of the Exchange, in force from 2006-07-24 until the
    reduction of mid-2025; ``cent`` is the step of US equities and of index levels.
    """
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in _rows("price_ticks"):
        found[row["tick_table"]].append((float(row["price_from"]), float(row["tick"])))
    return dict(found)


@cache
def dividends() -> dict[str, list[Dividend]]:
    """Declared amounts and Hong Kong or US ex-dates by symbol. Alibaba, JD.com and NetEase declare in USD."""
    found: dict[str, list[Dividend]] = defaultdict(list)
    for row in _rows("dividends"):
        found[row["symbol"]].append(Dividend(date.fromisoformat(row["ex_date"]), float(row["amount"]), row["currency"]))
    return dict(found)


@cache
def splits() -> dict[str, list[Split]]:
    found: dict[str, list[Split]] = defaultdict(list)
    for row in _rows("splits"):
        found[row["symbol"]].append(Split(date.fromisoformat(row["ex_date"]), float(row["ratio"])))
    return dict(found)


@cache
def share_counts() -> dict[str, list[tuple[date, float]]]:
    """Year-end counts of all share classes by symbol, on the latest split basis."""
    found: dict[str, list[tuple[date, float]]] = defaultdict(list)
    for row in _rows("shares"):
        found[row["symbol"]].append((date.fromisoformat(row["as_of"]), float(row["shares_outstanding"])))
    return dict(found)


@cache
def fiscal_years() -> dict[str, list[FiscalYear]]:
    found: dict[str, list[FiscalYear]] = defaultdict(list)
    for row in _rows("eps"):
        year = FiscalYear(date.fromisoformat(row["fiscal_year_end"]), float(row["eps_first"]), float(row["eps_last"]))
        found[row["symbol"]].append(year)
    return dict(found)


@cache
def fx_pairs() -> dict[str, FxPair]:
    return {
        row["base_currency"] + row["quote_currency"]: FxPair(
            row["base_currency"],
            row["quote_currency"],
            float(row["annual_volatility"]),
            float(row["lower"]),
            float(row["upper"]),
        )
        for row in _rows("fx_pairs")
    }


@cache
def fx_anchors() -> dict[str, dict[date, float]]:
    """Rates near the ECB's reference rates, by pair and date."""
    found: dict[str, dict[date, float]] = defaultdict(dict)
    for row in _rows("fx_anchors"):
        found[row["base_currency"] + row["quote_currency"]][date.fromisoformat(row["date"])] = float(row["rate"])
    return dict(found)


@cache
def fx_holidays() -> frozenset[date]:
    """Weekdays without a fixing: the TARGET closing days of the euro area."""
    return frozenset(date.fromisoformat(row["date"]) for row in _rows("fx_holidays"))


@cache
def risk_free_series() -> dict[str, RiskFreeSeries]:
    """By currency. The anchors are round figures near the level of US bills and of HIBOR."""
    found: dict[str, RiskFreeSeries] = {}
    for row in _rows("risk_free_anchors"):
        series = RiskFreeSeries(row["currency"], row["tenor"], row["quote_basis"], {})
        found.setdefault(row["currency"], series).anchors[date.fromisoformat(row["date"])] = float(row["rate"])
    return found
