"""A world of three companies and two and a half months, with a vendor that adjusts for splits and changes its mind: quick to build, and every value known.

Values are worked out here, in plain Python, from what was true on each day; nothing of the pipeline is used but the landing of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

import pyarrow as pa

from include.landing.batches import BatchKey, FetchWindow, land
from include.settings import Settings
from include.sources.base import SCHEMAS, Dataset, Extract

Row = dict[str, Any]
FIRST, LAST = date(2024, 11, 18), date(2025, 1, 31)
EXCHANGES = {"AA": "XNYS", "BB": "XNYS", "^IX": "XNYS", "1.HK": "XHKG"}
CURRENCIES = {"AA": "USD", "BB": "USD", "^IX": "USD", "1.HK": "HKD"}
EQUITIES = ("AA", "BB", "1.HK")
SYMBOLS = tuple(EXCHANGES)
PAIRS = ("CNY", "HKD")
HOLIDAYS = {
    "XNYS": {date(2024, 11, 28), date(2024, 12, 25), date(2025, 1, 1), date(2025, 1, 9), date(2025, 1, 20)},
    "XHKG": {
        date(2024, 12, 25),
        date(2024, 12, 26),
        date(2025, 1, 1),
        date(2025, 1, 29),
        date(2025, 1, 30),
        date(2025, 1, 31),
    },
}
SPLITS = {"AA": {date(2024, 12, 10): 10.0, date(2025, 1, 14): 0.5}, "1.HK": {date(2024, 12, 17): 3.0}}

SEEDS = {
    "securities": """symbol,name,kind,exchange,currency,reporting_currency
AA,Alpha,equity,XNYS,USD,USD
BB,Beta,equity,XNYS,USD,USD
1.HK,Gamma,equity,XHKG,HKD,CNY
^IX,The index,index,XNYS,USD,
""",
    "baskets": "basket_id,name,weighting,rebalance,base_date,comparator_basket_id\nall,All of them,equal,monthly,,two\ntwo,Two of them,market_value,annual,,\n",
    "basket_members": "basket_id,symbol,valid_from,valid_to\nall,AA,,\nall,BB,,\nall,1.HK,2024-12-04,\ntwo,AA,,\ntwo,BB,,\n",
    "exchanges": """exchange,market,name,calendar,timezone,ingest_cron,benchmark_symbol
XHKG,hk,Hong Kong,XHKG,Asia/Hong_Kong,30 17 * * 1-5,
XNYS,us,New York,XNYS,America/New_York,0 18 * * 1-5,^IX
""",
    "market_events": "event_id,name,date,description\nthe_day,the day,2024-12-12,A day to count from\nsaturday,a Saturday,2024-12-07,Another\n",
    "press_claims": """claim_id,claim_date,subject,measure,comparison,claimed_value,tolerance,unit,statement
early,2024-12-05,all,return_wtd,about,0,0.5,ratio,Nothing happened
late,2024-12-18,all,return_ytd,about,0,0.5,ratio,Nothing happened
""",
    "index_headlines": "symbol,measure\n^IX,drawdown\n^IX,return_wtd\n",
    "vendor_corrections": """symbol,date,field,value,currency,known_from,reason,source
BB,2024-12-04,close,61.5,,2024-12-11,the vendor's row is of another venue,me
AA,2024-12-05,close,801,USD,2025-01-20,the vendor's row is of another venue,me
BB,2024-12-09,dividend,0.25,,2024-12-16,the vendor has none,me
""",
    "calendar_overrides": "exchange,date,is_session,reason\n",
}


def write_seeds(project: Path, known_at: date | None = None) -> Path:
    """Lay the world's seeds into a copy of the dbt project; with ``known_at`` only the corrections, events and claims known by then."""
    for name, text in SEEDS.items():
        header, *rows = text.splitlines(keepends=True)
        place = {"vendor_corrections": 5, "market_events": 2, "press_claims": 1}.get(name)
        known = [
            row
            for row in rows
            if place is None or known_at is None or date.fromisoformat(row.split(",")[place]) <= known_at
        ]
        (project / "seeds" / f"{name}.csv").write_text(header + "".join(known))
    return project


def days_of(symbol: str) -> list[date]:
    """The sessions of a symbol's exchange; weekdays for an exchange rate."""
    every = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
    return [day for day in every if day.weekday() < 5 and day not in HOLIDAYS.get(EXCHANGES.get(symbol, ""), set())]


def split_ratio(symbol: str, after: date, until: date) -> float:
    """Product of the splits with an ex-date after the one day and up to the other."""
    return prod(ratio for ex_date, ratio in SPLITS.get(symbol, {}).items() if after < ex_date <= until)


def put_on_basis(row: Row, dataset: Dataset, symbol: str, basis: date) -> Row:
    """The same statement on another split basis, later or earlier."""
    told = row["basis_date"]
    ratio = split_ratio(symbol, told, basis) / split_ratio(symbol, basis, told)
    names = {
        Dataset.PRICES: ("open", "high", "low", "close", "dividend"),
        Dataset.ESTIMATES: ("mean", "low", "high"),
        Dataset.SHARES: (),
        Dataset.FX_RATES: (),
    }[dataset]
    changed: Row = {name: row[name] / ratio for name in names if row.get(name) is not None}
    if dataset is Dataset.PRICES and row["volume"] is not None:
        changed["volume"] = round(row["volume"] * ratio)
    if dataset is Dataset.SHARES:
        changed["shares_outstanding"] = row["shares_outstanding"] * ratio
    return {**row, **changed, "basis_date": basis}


@dataclass(frozen=True)
class Change:
    """From ``told_on`` on, the vendor gives ``factor`` times what it gave before for one row (a late dividend: the value itself)."""

    dataset: Dataset
    symbol: str
    day: date
    told_on: date
    factor: float


@dataclass(frozen=True)
class Fetch:
    """What is asked of the vendor, and when: rows of some symbols (or currencies) in a window of days."""

    dataset: Dataset
    symbols: tuple[str, ...]
    start: date | None
    end: date
    fetched_at: datetime


@dataclass(frozen=True)
class Delivery:
    """An answer, as it lands."""

    fetch: Fetch
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class World:
    """What is true, and how the vendor changes what it tells of it."""

    changes: tuple[Change, ...] = ()
    late_dividends: tuple[Change, ...] = field(default=())

    def answer(self, fetch: Fetch) -> Delivery:
        """The vendor's answer on the split basis of its day. It knows no day after it."""
        today = fetch.fetched_at.date()
        rows = [
            row
            for symbol in fetch.symbols
            for row in self._rows(fetch.dataset, symbol, today)
            if (fetch.start or FIRST) <= _day(row) <= min(fetch.end, today)
        ]
        return Delivery(fetch, tuple(rows))

    def _rows(self, dataset: Dataset, symbol: str, today: date) -> Iterable[Row]:
        if dataset is Dataset.FX_RATES:
            base = {"HKD": 7.77, "CNY": 7.2}[symbol]
            for number, day in enumerate(days_of(symbol)):
                rate = base * (1 + _wave(number, len(symbol)) / 20) * self._factor(dataset, symbol, day, today)
                yield {"base_currency": "USD", "quote_currency": symbol, "date": day, "rate": rate}
        elif dataset is Dataset.PRICES:
            yield from (put_on_basis(row, dataset, symbol, today) for row in self._prices(symbol, today))
        elif symbol in EQUITIES:
            rows = self._shares(symbol, today) if dataset is Dataset.SHARES else self._estimates(symbol, today)
            yield from (put_on_basis(row, dataset, symbol, today) for row in rows)

    def _prices(self, symbol: str, today: date) -> Iterable[Row]:
        """As traded, so on the basis of each day itself. An index has no volume."""
        close = {"AA": 800.0, "BB": 60.0, "1.HK": 45.0, "^IX": 20_000.0}[symbol]
        for number, day in enumerate(days_of(symbol)):
            close *= 1 + _wave(number, len(symbol) + ord(symbol[0])) / 2
            told = close / split_ratio(symbol, date.min, day) * self._factor(Dataset.PRICES, symbol, day, today)
            late = sum(
                change.factor
                for change in self.late_dividends
                if (change.symbol, change.day) == (symbol, day) and change.told_on <= today
            )
            regular = 0.01 * told if symbol in EQUITIES and number == 9 else 0.0
            yield {
                "symbol": symbol, "date": day, "open": told * 0.999, "high": told * 1.01, "low": told * 0.99, "close": told,
                "volume": None if symbol == "^IX" else 1200 * (number + 7) * 10, "dividend": regular + late, "dividend_currency": CURRENCIES[symbol],
                "split_ratio": SPLITS.get(symbol, {}).get(day, 0.0), "currency": CURRENCIES[symbol], "basis_date": day,
            }  # fmt: skip

    def _shares(self, symbol: str, today: date) -> Iterable[Row]:
        for number, day in enumerate((date(2024, 11, 18), date(2024, 12, 6), date(2024, 12, 30), date(2025, 1, 24))):
            told = (
                (1000.0 + 10 * number + len(symbol))
                * split_ratio(symbol, date.min, day)
                * self._factor(Dataset.SHARES, symbol, day, today)
            )
            yield {
                "symbol": symbol,
                "as_of": day,
                "shares_outstanding": told,
                "share_class": "all",
                "note": None,
                "basis_date": day,
            }

    def _estimates(self, symbol: str, today: date) -> Iterable[Row]:
        currency = "CNY" if symbol == "1.HK" else "USD"
        for number, day in enumerate(
            (date(2024, 11, 18), date(2024, 12, 9), date(2024, 12, 16), date(2025, 1, 6), date(2025, 1, 20))
        ):
            for label, year in (("0y", 2024), ("+1y", 2025), ("+2y", 2026)):
                factor = self._factor(Dataset.ESTIMATES, symbol, day, today) / split_ratio(symbol, date.min, day)
                mean = (3.0 + 0.1 * number + 0.3 * (year - 2024)) * factor
                yield {
                    "symbol": symbol, "as_of": day, "metric": "eps", "period_type": "annual", "period_end": date(year, 12, 31), "period_label": label,
                    "mean": mean, "low": mean * 0.9, "high": mean * 1.1, "analyst_count": 12, "currency": currency, "note": None, "basis_date": day,
                }  # fmt: skip

    def _factor(self, dataset: Dataset, symbol: str, day: date, today: date) -> float:
        return prod(
            change.factor
            for change in self.changes
            if (change.dataset, change.symbol, change.day) == (dataset, symbol, day) and change.told_on <= today
        )


def known_by(deliveries: Sequence[Delivery], known_at: date) -> list[Delivery]:
    """What a store would have received that only ever received what was known by the end of a day, by the rules of DESIGN section 5.

    Answers up to then as they came. Of later answers only the first word on a row, where the row's own moment had come: on the basis of that day, as if
    told then. A row that is told again later adds nothing, but for a dividend on it that is told for the first time.
    """
    known: list[Delivery] = []
    told: set[tuple[Any, ...]] = set()
    end = datetime.combine(known_at, time(23, 59), UTC)
    later = count()
    for delivery in sorted(deliveries, key=lambda delivery: delivery.fetch.fetched_at):
        fetch, rows = delivery.fetch, []
        is_later = fetch.fetched_at > end
        for row in delivery.rows:
            if _day(row) > known_at:
                continue
            new = {_key(fetch.dataset, row), *_action_keys(fetch.dataset, row)} - told
            if is_later and not new:
                continue
            told |= new
            if is_later and _key(fetch.dataset, row) not in new:
                # A dividend that is late: beside the row as it was known.
                earlier = _last_word(known, row)
                row = {
                    **earlier,
                    "dividend": put_on_basis(row, fetch.dataset, row["symbol"], earlier["basis_date"])["dividend"],
                }
            rows.append(
                put_on_basis(row, fetch.dataset, _symbol(row), known_at) if is_later and "basis_date" in row else row
            )
        if rows:
            moment = end + timedelta(milliseconds=next(later)) if is_later else fetch.fetched_at
            symbols = tuple(dict.fromkeys(_symbol(row) for row in rows))
            known.append(
                Delivery(replace(fetch, end=min(fetch.end, known_at), symbols=symbols, fetched_at=moment), tuple(rows))
            )
    return known


def _last_word(known: Sequence[Delivery], row: Row) -> Row:
    return next(
        earlier
        for delivery in reversed(known)
        if delivery.fetch.dataset is Dataset.PRICES
        for earlier in delivery.rows
        if (earlier["symbol"], earlier["date"]) == (row["symbol"], row["date"])
    )


def land_delivery(settings: Settings, delivery: Delivery, run_id: str, landed_at: datetime | None = None) -> None:
    """Put an answer where the ingest DAGs would."""
    fetch = delivery.fetch
    names = {symbol: f"USD{symbol}" if fetch.dataset is Dataset.FX_RATES else symbol for symbol in fetch.symbols}
    windows = []
    for symbol in fetch.symbols:
        days = [_day(row) for row in delivery.rows if _symbol(row) == symbol]
        windows.append(
            FetchWindow(
                symbol=names[symbol],
                start=fetch.start,
                end=fetch.end,
                rows=len(days),
                first=min(days, default=None),
                last=max(days, default=None),
            )
        )
    table = pa.Table.from_pylist(list(delivery.rows), schema=SCHEMAS[fetch.dataset])
    key = BatchKey(fetch.dataset, "world", 1, run_id, 1)
    land(settings.store, key, Extract(table, fetch.fetched_at), windows, landed_at=landed_at)


def _symbol(row: Row) -> str:
    return str(row.get("symbol") or row["quote_currency"])


def _day(row: Row) -> date:
    day = row.get("date") or row["as_of"]
    assert isinstance(day, date)
    return day


def _key(dataset: Dataset, row: Row) -> tuple[Any, ...]:
    return (dataset, _symbol(row), _day(row), row.get("period_end"))


def _action_keys(dataset: Dataset, row: Row) -> list[tuple[Any, ...]]:
    return [
        (_key(dataset, row), name)
        for name in ("dividend", "split_ratio")
        if dataset is Dataset.PRICES and row[name] > 0
    ]


def _wave(number: int, salt: int) -> float:
    """Small moves, up and down, that repeat for no two symbols."""
    return ((number * 7919 + salt * 104_729) % 97 - 46) / 2000
