"""A small world: every security of the seeds over a quarter, told in four ways that differ in a few rows."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from include.sources.base import currency_pairs

TRUTHS = 4
FIRST, LAST = date(2025, 1, 2), date(2025, 3, 7)
"""After the days of vendor_corrections.csv, which know the real prices."""
_EXPORTED = datetime(2025, 3, 8, tzinfo=UTC)


def settings_of(data: Path, folder: Path, number: int) -> Settings:
    """The store in ``data``, about to read the export ``number`` (from 0 on), which a vendor made later than the one before."""
    return load_settings(
        source="files",
        files_dir=str(folder),
        exported_at=(_EXPORTED + timedelta(minutes=number)).isoformat(),
        data_dir=str(data),
    )


def write_truth(folder: Path, truth: int) -> Path:
    """Write the export that tells ``truth``. Prices are random walks of fixed seeds; a truth restates some of the last closes, a dividend and an estimate."""
    folder.mkdir(parents=True, exist_ok=True)
    reference = load_reference(load_settings().seeds_dir)
    calendars = load_calendars(reference, LAST.year)
    prices: list[list[object]] = []
    shares: list[list[object]] = []
    estimates: list[list[object]] = []
    results: list[list[object]] = []
    for number, security in enumerate(reference.securities):
        walk = random.Random(number)
        close = 50.0 + 30 * number
        sessions = calendars[security.exchange].between(FIRST, LAST)
        for index, session in enumerate(sessions):
            close *= math.exp(walk.gauss(0, 0.015))
            is_told_anew = number % 3 == 0 and index >= len(sessions) - 3
            told = close * (1 + 0.001 * truth) if is_told_anew else close
            dividend = 0.25 if truth % 2 and number == 4 and index == len(sessions) - 8 else 0.0
            volume = 1000 + walk.randrange(1000)
            prices.append([security.symbol, session.date, told, volume, dividend, 0, security.currency])
        if security.kind == "equity":
            shares.append([security.symbol, FIRST, 1_000_000_000 + 10_000_000 * number, "ordinary"])
            for label, year, mean in (("0y", 2025, close / 20), ("+1y", 2026, close / 18 * (1 + 0.01 * truth))):
                estimates.append(
                    [security.symbol, "2025-02-24", "eps", label, date(year, 12, 31), mean, security.reporting_currency]
                )
            for year in (2023, 2024):
                period = [security.symbol, "annual", date(year, 12, 31), security.reporting_currency]
                results.append([*period, 4 + number / 10, 30 + number, date(year + 1, 2, 20)])
    rates: list[list[object]] = []
    for number, pair in enumerate(currency_pairs(reference)):
        walk, rate = random.Random(1000 + number), 7.0 + number
        for offset in range((LAST - FIRST).days + 11):
            day = FIRST - timedelta(days=10) + timedelta(days=offset)
            if day.weekday() < 5:
                rate *= math.exp(walk.gauss(0, 0.001))
                rates.append([pair.base, pair.quote, day, rate])
    days = [FIRST + timedelta(days=offset) for offset in range((LAST - FIRST).days + 1)]
    discounts = [["USD", "13w", day, 0.042, "discount"] for day in days if day.weekday() < 5]
    _write(folder / "prices.csv", "symbol,date,close,volume,dividend,split_ratio,currency", prices)
    _write(folder / "fx_rates.csv", "base_currency,quote_currency,date,rate", rates)
    _write(folder / "shares.csv", "symbol,as_of,shares_outstanding,share_class", shares)
    _write(folder / "estimates.csv", "symbol,as_of,metric,period,period_end,mean,currency", estimates)
    fields = "symbol,period_type,period_end,currency,eps,book_value_per_share,published_on"
    _write(folder / "fundamentals.csv", fields, results)
    _write(folder / "risk_free.csv", "currency,tenor,date,rate,quote_basis", discounts)
    return folder


def _write(path: Path, header: str, rows: Iterable[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)
