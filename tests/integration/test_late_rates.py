"""One build of a world in which rates begin later than prices or never, exchanges trade in other weeks and nothing is told."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pytest

from include.publishing.publish import last_complete_session
from include.runs.records import RunRecord
from include.seeds.calendars import SessionCalendar, load_calendars
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from tests.pipeline import ask, copy_project, forget_default_securities, own_build, run_without_airflow, write_csv

pytestmark = own_build
FIRST, RATES_BEGIN, LAST = date(2025, 5, 1), date(2025, 6, 16), date(2025, 8, 1)
SECURITIES = {
    "SAP.DE": ("XFRA", "EUR", 100.0),
    "NESN.SW": ("XSWX", "CHF", 90.0),
    "TEVA.TA": ("XTAE", "ILA", 5000.0),
    "2222.SR": ("XSAU", "SAR", 25.0),
    "AAPL": ("XNYS", "USD", 200.0),
    "7203.T": ("XTKS", "JPY", 2500.0),
}
RATES = {"EUR": 0.9, "CHF": 0.8, "ILS": 3.5, "SAR": 3.75}
EXCHANGES = """exchange,market,name,calendar,timezone,ingest_cron,benchmark_symbol
XFRA,eu,Frankfurt,XFRA,Europe/Berlin,30 18 * * 1-5,
XSWX,eu,Zurich,XSWX,Europe/Zurich,0 18 * * 1-5,
XTAE,il,Tel Aviv,XTAE,Asia/Jerusalem,0 18 * * *,
XSAU,sa,Saudi Exchange,XSAU,Asia/Riyadh,0 16 * * 0-4,
XTKS,jp,Tokyo,XTKS,Asia/Tokyo,0 18 * * 1-5,
XNYS,us,New York,XNYS,America/New_York,0 18 * * 1-5,
"""


def close(symbol: str, day: date) -> float:
    """Up by 0.1% a day and by the symbol's own ripple, so that no two series are alike."""
    number = (day - FIRST).days
    return SECURITIES[symbol][2] * (1 + 0.001 * number + 0.01 * ((number * len(symbol) * 7) % 5))


def rate(currency: str, day: date) -> float:
    return RATES[currency] * (1 + 0.0005 * (day - RATES_BEGIN).days)


def dollars(symbol: str, day: date) -> float:
    """At the rate of the last weekday; Tel Aviv quotes in hundredths."""
    currency = SECURITIES[symbol][1]
    if currency == "USD":
        return close(symbol, day)
    fixed = day - timedelta(days=max(0, day.weekday() - 4))
    major, units = ("ILS", 100) if currency == "ILA" else (currency, 1)
    return close(symbol, day) / rate(major, fixed) / units


@pytest.fixture(scope="module")
def calendars(world: tuple[Settings, RunRecord]) -> dict[str, SessionCalendar]:
    return load_calendars(load_reference(world[0].seeds_dir), 2025)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, RunRecord]:
    folder = tmp_path_factory.mktemp("late")
    project = copy_project(folder / "dbt_project")
    seeds, files = project / "seeds", folder / "files"
    forget_default_securities(seeds)
    (seeds / "exchanges.csv").write_text(EXCHANGES)
    write_csv(seeds / "market_events.csv", "event_id,name,date,description")
    write_csv(seeds / "calendar_overrides.csv", "exchange,date,is_session,reason")
    write_csv(
        seeds / "securities.csv",
        "symbol,name,kind,exchange,currency,reporting_currency",
        *(f"{symbol},{symbol},equity,{exchange},{code}," for symbol, (exchange, code, _) in SECURITIES.items()),
        "NONE,Without a price,equity,XNYS,USD,",
    )
    write_csv(
        seeds / "baskets.csv",
        "basket_id,name,weighting,rebalance,base_date,comparator_basket_id",
        "europe,Europe,equal,annual,,one",
        "everywhere,Everywhere,market_value,monthly,,",
        "gone,Gone,equal,monthly,,",
        "joined,Joined,equal,monthly,,",
        "one,One,equal,daily,,",
        "tokyo,Tokyo,equal,monthly,,",
    )
    members = {
        "europe": ["SAP.DE", "NESN.SW"],
        "everywhere": [symbol for symbol in SECURITIES if symbol != "7203.T"],
        "gone": ["NONE"],
        "one": ["AAPL"],
        "tokyo": ["7203.T"],
    }
    write_csv(
        seeds / "basket_members.csv",
        "basket_id,symbol,valid_from,valid_to",
        *(f"{basket},{symbol},," for basket, symbols in members.items() for symbol in symbols),
        "joined,AAPL,,",
        "joined,SAP.DE,2025-05-20,",
        "joined,7203.T,2025-05-20,",
    )
    calendars = load_calendars(load_reference(seeds), 2025)
    days = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
    write_csv(
        files / "prices.csv",
        "symbol,date,close,currency,volume,dividend,dividend_currency",
        *(
            f"{symbol},{session.date},{close(symbol, session.date)},{code},{100 + session.date.day},"
            + ("1.0,USD" if session.date == date(2025, 5, 20) and symbol in ("SAP.DE", "7203.T") else ",")
            for symbol, (exchange, code, _) in SECURITIES.items()
            for session in calendars[exchange].between(FIRST, LAST)
        ),
    )
    write_csv(
        files / "fx_rates.csv",
        "base_currency,quote_currency,date,rate",
        *(
            f"USD,{code},{day},{rate(code, day)}"
            for code in RATES
            for day in days
            if day >= RATES_BEGIN and day.weekday() < 5
        ),
    )
    write_csv(
        files / "shares.csv", "symbol,as_of,shares_outstanding", *(f"{symbol},{FIRST},1000" for symbol in SECURITIES)
    )
    data = folder / "a b é (1) & x=1, @ ! ~ + : ^ | < > `"
    settings = load_settings(
        source="files", files_dir=str(files), exported_at="2025-08-02", data_dir=str(data), dbt_project_dir=str(project)
    )
    return settings, run_without_airflow(settings, LAST)


def test_it_is_published_with_one_warning_of_late_rates(world: tuple[Settings, RunRecord]) -> None:
    settings, record = world
    assert record.outcome == "success"
    warned = {check.name: check.examples for check in record.checks if check.status == "warning"}
    expected = {"dollars_begin_later", "every_basket_filled", "estimates_cover_baskets", "members_bought"}
    assert set(warned) == expected
    begins = {"rates_begin": str(RATES_BEGIN), "symbols": 1}
    assert warned["dollars_begin_later"] == [
        {"currency": "CHF", "data_begin": "2025-05-02", **begins},
        {"currency": "EUR", "data_begin": "2025-05-02", **begins},
        {"currency": "ILA", "data_begin": "2025-05-04", **begins},
        {"currency": "JPY", "data_begin": "2025-05-01", "rates_begin": None, "symbols": 1},
        {"currency": "SAR", "data_begin": "2025-05-01", **begins},
    ]
    assert settings.published.link.exists()


def test_each_symbol_has_the_sessions_of_its_exchange(
    world: tuple[Settings, RunRecord], calendars: dict[str, SessionCalendar]
) -> None:
    for symbol, (exchange, _, _) in SECURITIES.items():
        found = ask(
            world[0], "select date from marts.fct_security_daily where symbol = ? and is_traded order by date", [symbol]
        )
        assert [day for (day,) in found] == [session.date for session in calendars[exchange].between(FIRST, LAST)]


def test_dollars_are_null_before_the_first_rate_and_right_from_then_on(world: tuple[Settings, RunRecord]) -> None:
    for symbol, day, close_usd in ask(world[0], "select symbol, date, close_usd from marts.fct_security_daily"):
        if SECURITIES[symbol][1] == "JPY" or (SECURITIES[symbol][1] != "USD" and day < RATES_BEGIN):
            assert close_usd is None, (symbol, day)
        else:
            assert close_usd == pytest.approx(dollars(symbol, day), rel=1e-9), (symbol, day)


def test_levels_in_dollars_begin_with_the_rates(world: tuple[Settings, RunRecord]) -> None:
    rows = ask(
        world[0],
        "select date, level from marts.fct_basket_daily "
        "where basket_id = 'europe' and currency_basis = 'usd' and return_type = 'price' order by date",
    )
    base, start = rows[0][0], RATES_BEGIN
    assert {day for day, level in rows if level is None} == {day for day, _ in rows if day < RATES_BEGIN}
    # Half in each at the base date, as if the rates of the first day had been those of the base date.
    weights = {symbol: close(symbol, start) / close(symbol, base) for symbol in ("SAP.DE", "NESN.SW")}
    last = rows[-1][0]
    held = {"SAP.DE": last, "NESN.SW": last - timedelta(days=1)}  # Switzerland rests on the last day
    local = {"SAP.DE": "EUR", "NESN.SW": "CHF"}
    growth = {
        symbol: close(symbol, held[symbol]) / rate(code, last) / (close(symbol, start) / rate(code, start))
        for symbol, code in local.items()
    }
    expected = 100 * sum(weights[symbol] * growth[symbol] for symbol in weights) / sum(weights.values())
    assert rows[-1][1] == pytest.approx(expected, rel=1e-9)


def test_weights_by_market_value_wait_for_the_rates(world: tuple[Settings, RunRecord]) -> None:
    ((first,),) = ask(world[0], "select base_date from marts.dim_baskets where basket_id = 'everywhere'")
    assert first == RATES_BEGIN
    assert ask(world[0], "select count(*) from marts.fct_basket_daily where basket_id = 'gone'") == [(0,)]


def test_a_member_without_a_rate_yet_waits_where_the_basket_has_dollars(world: tuple[Settings, RunRecord]) -> None:
    bought = ask(
        world[0],
        "select min(date) from marts.fct_basket_member_daily where basket_id = 'joined' and symbol = 'SAP.DE'",
    )
    assert bought == [(date(2025, 7, 1),)]
    levels = ask(world[0], "select count(*), count(level) from marts.fct_basket_daily where basket_id = 'joined'")
    assert levels[0][0] == levels[0][1] > 0


def test_a_basket_without_any_rate_has_local_levels_only(world: tuple[Settings, RunRecord]) -> None:
    (local, dollar) = ask(
        world[0],
        "select count(*), count(level) from marts.fct_basket_daily "
        "where basket_id = 'tokyo' and return_type = 'price' group by currency_basis order by currency_basis",
    )
    assert local[0] == local[1] == dollar[0] > 0
    assert dollar[1] == 0
    assert ask(
        world[0], "select count(*) from marts.fct_basket_member_daily where symbol = '7203.T' and basket_id = 'joined'"
    ) == [(0,)]


def test_the_last_complete_session_needs_no_headline() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            """create schema marts; create schema ops;
            create table marts.fct_headlines (as_of date);
            create table marts.fct_index_daily (date date);
            create table marts.fct_security_daily as
                select unnest(['2025-03-05'::date, '2025-03-06'::date, '2025-03-07'::date]) as date;
            create table ops.freshness as
                select unnest(['2025-03-06'::date, '2025-03-09'::date]) as exchange_complete_until"""
        )
        assert last_complete_session(connection) == date(2025, 3, 6)
