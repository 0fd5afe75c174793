"""Years of past estimates, share counts and results out of an export: what was known on each day, and nothing newer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from include import build
from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from tests.pipeline import ask_warehouse, ingest_all, load_and_judge, new_run, own_build, transform_only, write_csv

FIRST, LAST = date(2021, 1, 4), date(2025, 3, 7)
SPLIT = date(2023, 6, 5)
"""Four for one. Prices are adjusted for it throughout; estimates, share counts and results stand as they came."""
MODELS = ("+fct_security_valuation_daily", "+fct_security_fundamentals", "+fct_shares_outstanding")


def close(day: date) -> float:
    """On today's basis: 100 on the first day, and a tenth of a dollar more each day."""
    return 100 + 0.1 * (day - FIRST).days


def earnings(year: int) -> float:
    """On today's basis: 5 in 2020, and one dollar more each year."""
    return 5.0 + year - 2020


def as_told(value: float, day: date) -> float:
    """A value a share of today, as it was told on a day."""
    return value * 4 if day < SPLIT else value


def snapshots() -> Iterator[date]:
    """The first of each month."""
    for number in range(50):
        yield date(2021 + number // 12, number % 12 + 1, 1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A store that an export of Apple of four years came into, on one day."""
    folder = tmp_path_factory.mktemp("history")
    export = folder / "export"
    calendar = load_calendars(load_reference(load_settings().seeds_dir), LAST.year)["XNYS"]
    days = [session.date for session in calendar.between(FIRST, LAST)]
    write_csv(
        export / "prices.csv",
        "symbol,date,close,split_ratio",
        *(f"AAPL,{day},{close(day):.4f},{4 if day == SPLIT else ''}" for day in days),
    )
    rates = (f"USD,{currency},{day},{rate}" for day in days for currency, rate in (("HKD", 7.8), ("CNY", 7.2)))
    write_csv(export / "fx_rates.csv", "base_currency,quote_currency,date,rate", *rates)
    write_csv(
        export / "shares.csv",
        "symbol,as_of,shares_outstanding,basis_date",
        *(f"AAPL,{day},{as_told(1, day) ** -1 * 16e9:.0f},{day}" for day in snapshots()),
    )
    write_csv(
        export / "estimates.csv",
        "symbol,as_of,metric,period_type,period_end,mean,currency,basis_date",
        *(
            f"AAPL,{day},eps,annual,{year}-12-31,{as_told(earnings(year) + 0.01 * day.month, day):.4f},USD,{day}"
            for day in snapshots()
            for year in (day.year, day.year + 1)
        ),
    )
    write_csv(
        export / "fundamentals.csv",
        "symbol,period_type,period_end,currency,eps,book_value_per_share,as_of,basis_date",
        *(
            f"AAPL,annual,{year}-12-31,USD,{as_told(earnings(year), told)},{as_told(20, told)},{told},{told}"
            for year in range(2020, 2025)
            for told in (date(year + 1, 2, 15),)
        ),
        # Of 2022 there is also a row without a day, which had to be out by 31 March 2023.
        f"AAPL,annual,2022-12-31,USD,{as_told(earnings(2022) + 1, SPLIT - timedelta(1))},80,,{SPLIT - timedelta(1)}",
        # A year later 2022 was restated.
        f"AAPL,annual,2022-12-31,USD,{earnings(2022) - 0.5},20,2023-08-15,2023-08-15",
    )
    settings = load_settings(
        data_dir=str(folder / "data"), source="files", files_dir=str(export), exported_at="2025-03-08"
    )
    ingest_all(settings)
    load_and_judge(settings)
    transform_only(settings, *MODELS)
    return settings


def forward_pe(day: date) -> float:
    """Of the last snapshot up to the day, with the months left of its year."""
    told = max(snapshot for snapshot in snapshots() if snapshot <= day)
    left = min(1.0, (date(day.year, 12, 31) - day).days / 365)
    this, following = (earnings(day.year + years) + 0.01 * told.month for years in (0, 1))
    return close(day) / (left * this + (1 - left) * following)


def trailing_pe(day: date) -> float:
    """At the close of the day, on what had been published."""
    published = {date(year + 1, 2, 15): earnings(year) for year in range(2020, 2025)} | {date(2023, 8, 15): 6.5}
    return close(day) / published[max(told for told in published if told <= day)]


@own_build
def test_there_is_a_valuation_from_the_first_snapshot_on(settings: Settings) -> None:
    rows = ask_warehouse(
        settings,
        "select date, forward_pe, estimate_as_of from marts.fct_security_valuation_daily where symbol = 'AAPL' order by 1",
    )
    assert rows[0][0] == FIRST
    assert len(rows) > 1000
    assert [(day, pytest.approx(forward_pe(day), rel=1e-6)) for day, _, _ in rows] == [row[:2] for row in rows]
    assert all(as_of <= day for day, _, as_of in rows)
    multiples = ask_warehouse(
        settings,
        "select as_of, trailing_pe, price_to_book from marts.fct_security_fundamentals where symbol = 'AAPL' order by 1",
    )
    assert [day for day, _, _ in multiples] == sorted(
        [*(date(year, 2, 15) for year in range(2021, 2026)), date(2023, 8, 15)]
    )
    for day, earned, owned in multiples:
        # 15 February is a holiday of New York in 2021, and a Saturday in 2025.
        priced = {date(2021, 2, 15): date(2021, 2, 12), date(2025, 2, 15): date(2025, 2, 14)}.get(day, day)
        assert earned == pytest.approx(trailing_pe(day) * close(priced) / close(day), rel=1e-6)
        assert owned == pytest.approx(close(priced) / 20, rel=1e-6)
    shares = "select distinct shares_outstanding from marts.fct_shares_outstanding where symbol = 'AAPL'"
    assert ask_warehouse(settings, shares) == [(16e9,)]


@own_build
def test_a_point_in_time_build_cuts_the_history(settings: Settings) -> None:
    """Before the split, and before the restatement of 2022."""
    known_at = date(2023, 5, 31)
    known = settings.model_copy(update={"known_at": known_at})
    build.load(known, new_run(known))
    transform_only(known, *MODELS)
    valued = ask_warehouse(known, "select date, forward_pe from marts.fct_security_valuation_daily order by 1")
    assert valued[-1] == (known_at, pytest.approx(forward_pe(known_at), rel=1e-6))
    last = ask_warehouse(
        known, "select as_of, eps_ttm, last_close from marts.fct_security_fundamentals order by as_of desc limit 1"
    )
    assert last == [(date(2023, 2, 15), pytest.approx(28.0), pytest.approx(4 * close(date(2023, 2, 15)), rel=1e-6))]
    assert ask_warehouse(known, "select max(as_of) from marts.fct_shares_outstanding") == [(date(2023, 5, 1),)]
    assert ask_warehouse(known, "select max(estimate_as_of) from marts.fct_security_valuation_daily") == [
        (date(2023, 5, 1),)
    ]
