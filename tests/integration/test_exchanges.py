"""Exchanges that share a market, or trade in other weeks: each goes by its own calendar, from the plan to gate 1."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include import build
from include.ingest.plan import TriggerParams, is_session, plan_prices
from include.landing.batches import BatchKey, FetchWindow, land
from include.runs.facts import CheckRawFacts
from include.seeds.library_calendars import library_sessions
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from include.sources.base import SCHEMAS, Dataset, Extract
from tests.pipeline import ask_warehouse, build_marts, forget_default_securities, new_run, own_build, write_csv

SECURITIES = {
    "SAP.DE": ("XFRA", "EUR"),
    "NESN.SW": ("XSWX", "CHF"),
    "TEVA.TA": ("XTAE", "ILA"),
    "2222.SR": ("XSAU", "SAR"),
}
FIRST, LAST = date(2025, 7, 20), date(2025, 8, 1)
"""Sunday to Friday. Friday is the national day of Switzerland: Frankfurt trades, Zurich does not."""
WEEKS = {
    "SAP.DE": [date(2025, 7, day) for day in (21, 22, 23, 24, 25, 28, 29, 30, 31)] + [LAST],
    "NESN.SW": [date(2025, 7, day) for day in (21, 22, 23, 24, 25, 28, 29, 30, 31)],
    "TEVA.TA": [date(2025, 7, day) for day in (20, 21, 22, 23, 24, 27, 28, 29, 30, 31)],
    "2222.SR": [date(2025, 7, day) for day in (20, 21, 22, 23, 24, 27, 28, 29, 30, 31)],
}


@pytest.fixture
def settings(tmp_path: Path, project_copy: Path) -> Settings:
    seeds = project_copy / "seeds"
    forget_default_securities(seeds)
    write_csv(
        seeds / "exchanges.csv",
        "exchange,market,name,calendar,timezone,ingest_cron,benchmark_symbol",
        "XFRA,eu,Frankfurt,XFRA,Europe/Berlin,30 18 * * 1-5,",
        "XSWX,eu,Zurich,XSWX,Europe/Zurich,0 18 * * 1-5,",
        "XTAE,il,Tel Aviv,XTAE,Asia/Jerusalem,0 18 * * *,",
        "XSAU,sa,Saudi Exchange,XSAU,Asia/Riyadh,0 16 * * 0-4,",
    )
    write_csv(
        seeds / "securities.csv",
        "symbol,name,kind,exchange,currency,reporting_currency",
        *(f"{symbol},{symbol},equity,{exchange},{currency}," for symbol, (exchange, currency) in SECURITIES.items()),
    )
    write_csv(seeds / "baskets.csv", "basket_id,name,weighting,rebalance,base_date,comparator_basket_id")
    write_csv(seeds / "basket_members.csv", "basket_id,symbol,valid_from,valid_to")
    write_csv(seeds / "calendar_overrides.csv", "exchange,date,is_session,reason")
    return load_settings(source="yahoo", data_dir=str(tmp_path / "data"), dbt_project_dir=str(project_copy))


def close_of(symbol: str, day: date) -> float:
    return 100 + 10 * list(SECURITIES).index(symbol) + day.day % 7 / 10


def land_prices(settings: Settings, days: dict[str, list[date]]) -> None:
    """Land a price of each symbol on each of its days."""
    rows: list[dict[str, Any]] = [
        {"symbol": symbol, "date": day, "close": close_of(symbol, day), "currency": SECURITIES[symbol][1],
         "volume": 100 + day.day, "basis_date": LAST}
        for symbol, own in days.items() for day in own
    ]  # fmt: skip
    windows = [
        FetchWindow(symbol=symbol, start=None, end=LAST, rows=len(own), first=min(own), last=max(own))
        for symbol, own in days.items()
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[Dataset.PRICES])
    fetched_at = datetime.combine(LAST, datetime.min.time(), UTC) + timedelta(hours=20)
    land(settings.store, BatchKey(Dataset.PRICES, "eu", 1, "run", 1), Extract(table, fetched_at), windows)


def judge(settings: Settings, days: dict[str, list[date]]) -> dict[str, list[str]]:
    """Land a price of each symbol on each of its days; returns what gate 1 keeps out, and why."""
    land_prices(settings, days)
    run = new_run(settings)
    build.load(settings, run)
    facts = build.check_raw(settings, run)
    assert isinstance(facts, CheckRawFacts)
    return {unit.symbol: unit.reasons for unit in facts.quarantined}


def test_each_exchange_of_a_market_is_asked_up_to_its_own_last_session(settings: Settings) -> None:
    evening = datetime(2025, 8, 1, 20, tzinfo=UTC)
    noon = datetime(2025, 7, 31, 12, tzinfo=UTC)

    def ends(now: datetime) -> dict[str, date]:
        batches = plan_prices(settings, "eu", now.date(), TriggerParams(), now)
        return {symbol: batch.end for batch in batches for symbol in batch.symbols}

    assert ends(evening) == {"SAP.DE": LAST, "NESN.SW": date(2025, 7, 31)}
    assert ends(noon) == {"SAP.DE": date(2025, 7, 30), "NESN.SW": date(2025, 7, 30)}


def test_days_after_the_calendar_ends_are_asked_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were never asked for, and a timetable's run had nothing to do, without a word."""
    ends = {"XFRA": date(2025, 7, 31)}
    monkeypatch.setattr("include.seeds.calendars.known_until", lambda name: ends.get(name, date.max))
    batches = plan_prices(settings, "eu", LAST, TriggerParams(), datetime(2025, 8, 1, 20, tzinfo=UTC))
    assert {symbol: batch.end for batch in batches for symbol in batch.symbols} == {
        "SAP.DE": LAST,
        "NESN.SW": date(2025, 7, 31),
    }
    reference = load_reference(settings.seeds_dir)
    saturday = date(2025, 8, 2)
    assert is_session(reference, "eu", saturday)
    assert not is_session(reference, "il", saturday)


def test_a_price_from_after_the_calendar_ends_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_2024(calendar: str, last_year: int) -> tuple[Any, ...]:
        return tuple(row for row in library_sessions(calendar, last_year) if row.date.year < 2025 or calendar != "XFRA")

    monkeypatch.setattr("include.seeds.calendars.library_sessions", of_2024)
    land_prices(settings, WEEKS | {"NESN.SW": [*WEEKS["NESN.SW"], LAST]})
    build.load(settings, new_run(settings))
    rejected = ask_warehouse(
        settings, "select symbol, reasons, count(*) from raw.rejected_rows group by all order by symbol"
    )
    assert rejected == [
        ("NESN.SW", ["no session on that day"], 1),
        ("SAP.DE", ["after the calendar of its exchange ends"], 10),
    ]


def test_prices_from_before_the_calendar_begins_are_asked_for_and_said_to_be(
    settings: Settings, tmp_path: Path
) -> None:
    write_csv(tmp_path / "files" / "prices.csv", "symbol,date,close,currency", "2222.SR,2019-12-30,35.0,SAR")
    write_csv(tmp_path / "files" / "fx_rates.csv", "base_currency,quote_currency,date,rate", "USD,SAR,2019-12-30,3.75")
    files = settings.model_copy(
        update={"source": "files", "files_dir": tmp_path / "files", "exported_at": datetime(2019, 12, 31, tzinfo=UTC)}
    )
    (batch,) = plan_prices(files, "sa", date(2019, 12, 30), TriggerParams())
    assert (batch.symbols, batch.end) == (["2222.SR"], date(2019, 12, 30))


def test_gate_1_expects_the_sessions_of_each_exchange(settings: Settings) -> None:
    assert judge(settings, WEEKS) == {}
    assert ask_warehouse(settings, "select count(*) from raw.rejected_rows") == [(0,)]
    assert dict(ask_warehouse(settings, "select symbol, count(*) from quality.expected_sessions group by all")) == {
        symbol: len(days) for symbol, days in WEEKS.items()
    }


def test_a_price_of_anothers_session_is_rejected_and_one_before_the_calendar_says_so(settings: Settings) -> None:
    judge(
        settings,
        WEEKS
        | {"NESN.SW": [*WEEKS["NESN.SW"], LAST], "TEVA.TA": [*WEEKS["TEVA.TA"], date(2025, 7, 25)],
           "2222.SR": [date(2020, 12, 30), *WEEKS["2222.SR"]]},
    )  # fmt: skip
    assert ask_warehouse(settings, "select symbol, date, reasons from raw.rejected_rows order by symbol") == [
        ("2222.SR", date(2020, 12, 30), ["before the calendar of its exchange begins"]),
        ("NESN.SW", LAST, ["no session on that day"]),
        ("TEVA.TA", date(2025, 7, 25), ["no session on that day"]),
    ]


def test_the_currency_of_tel_aviv_is_a_minor_unit(settings: Settings) -> None:
    assert load_reference(settings.seeds_dir).major_unit("ILA") == ("ILS", 100.0)


@own_build
def test_a_basket_whose_members_are_all_on_different_exchanges(settings: Settings) -> None:
    """Its days are those of any of them, and a member whose exchange is closed has its last close."""
    seeds, first = settings.seeds_dir, date(2025, 7, 21)
    write_csv(
        seeds / "baskets.csv",
        "basket_id,name,weighting,rebalance,base_date,comparator_basket_id",
        "all,All,equal,none,,",
    )
    write_csv(
        seeds / "basket_members.csv",
        "basket_id,symbol,valid_from,valid_to",
        *(f"all,{symbol},," for symbol in SECURITIES),
    )
    land_prices(settings, WEEKS)
    build_marts(settings, "+fct_basket_daily")
    levels = ask_warehouse(
        settings,
        """select date, level, members_priced from marts.fct_basket_daily
        where currency_basis = 'local' and return_type = 'price' order by date""",
    )
    days = sorted({day for own in WEEKS.values() for day in own if day >= first})
    expected = [
        100 * sum(close_of(symbol, max(own for own in WEEKS[symbol] if own <= day)) / close_of(symbol, first) for symbol in WEEKS) / 4
        for day in days
    ]  # fmt: skip
    assert [(day, members) for day, _, members in levels] == [(day, 4) for day in days]
    assert [level for _, level, _ in levels] == pytest.approx(expected, rel=1e-12)
