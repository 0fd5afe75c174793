"""Schema reports: what a dashboard draws, against the report's pages, the marts and levels computed a second way."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from include.publishing.report.figures import BasketFigures, Report
from include.publishing.report.read import read_report
from include.settings import Settings
from tests.conftest import CopyStore
from tests.integration.test_marts_recomputed import MAG7, TITANS, annual_levels
from tests.integration.test_marts_recomputed import closes as closes
from tests.pipeline import ask, transform_only

both_stores = pytest.mark.parametrize("store", ["built_sample_store", "built_real_store"])


@pytest.fixture
def settings(store: str, request: pytest.FixtureRequest) -> Settings:
    found: Settings = request.getfixturevalue(store)
    return found


def pages(settings: Settings) -> Report:
    with duckdb.connect(str(settings.published.link), read_only=True) as connection:
        return read_report(connection)


def rows(settings: Settings, sql: str) -> list[dict[str, Any]]:
    return rows_of(settings.published.link, sql)


def rows_of(file: Path, sql: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        found = connection.execute(sql)
        columns = [column[0] for column in found.description or []]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


@both_stores
def test_a_factsheet_says_what_the_marts_say_of_the_day_of_the_page(settings: Settings) -> None:
    sheets = {sheet["basket_id"]: sheet for sheet in rows(settings, "from reports.factsheet")}
    report = pages(settings)
    assert sheets.keys() == {page.basket["basket_id"] for page in report.baskets}
    for page in report.baskets:
        basket, sheet = page.basket, sheets[page.basket["basket_id"]]
        for column in ("basket_name", "as_of", "risk_date", "comparator_basket_id", "comparator_name", "is_simulated"):
            assert sheet[column] == basket[column], column
        day = f"basket_id = '{basket['basket_id']}' and date = '{basket['as_of']}'"
        own = {(row["currency_basis"], row["return_type"]): row for row in rows(settings, f"from marts.fct_basket_daily where {day}")}  # fmt: skip
        excess = rows(settings, f"from marts.fct_basket_comparison_daily where {day} and is_default_comparator and currency_basis = 'local' and return_type = 'price'")  # fmt: skip
        valuation = rows(settings, f"from marts.fct_basket_valuation_daily where {day}")
        value = rows(settings, f"from marts.fct_basket_market_value_daily where {day}")
        of_mart = {
            "return_1m return_3m return_ytd is_ytd_since_base return_1y return_3y_annualised return_5y_annualised "
            "return_since_base_annualised drawdown members members_priced": [own["local", "price"]],
            "excess_return_1m excess_return_ytd excess_return_1y forward_pe_discount": excess,
            "forward_pe_basket_weighted dividend_yield_ttm dividend_weight_covered weight_covered forward_pe_aggregate coverage_ratio": valuation,
            "market_value_usd change_ytd_usd price_effect_usd fx_effect_usd issuance_effect_usd membership_effect_usd "
            "is_shares_backcast": value,
        }
        for columns, found in of_mart.items():
            for column in columns.split():
                assert sheet[column] == (found[0][column] if found else None), column
        assert valuation
        assert value
        is_covered = (valuation[0]["weight_covered"] or 0) >= 0.8
        assert sheet["forward_pe_if_covered"] == (valuation[0]["forward_pe_basket_weighted"] if is_covered else None)
        assert sheet["return_ytd_with_dividends"] == own["local", "total"]["return_ytd"]
        assert sheet["return_ytd_usd"] == own["usd", "price"]["return_ytd"]
        risk = {row["window_length"]: row for row in rows(settings, f"from marts.fct_basket_risk where basket_id = '{basket['basket_id']}' and date = '{basket['risk_date']}' and currency_basis = 'local' and return_type = 'price' and benchmark_id is null")}  # fmt: skip
        for window in ("1y", "3y"):
            assert sheet[f"volatility_{window}"] == risk[window]["volatility"]
        assert sheet["max_drawdown_3y"] == risk["3y"]["max_drawdown"]
    assert [sheet["excess_return_ytd"] is None for sheet in sheets.values()] == [False, True]


@both_stores
def test_lines_of_a_chart_have_the_same_days_and_no_gap(settings: Settings) -> None:
    """Every session of either market is there, Lunar New Year with it; both lines begin at 100."""
    days: dict[tuple[str, str], list[date]] = {}
    for basket, line, day in ask(settings, "select basket_id, line_id, date from reports.rebased_levels order by all"):
        days.setdefault((basket, line), []).append(day)
    titans, seven = days["china_titans", "china_titans"], days["china_titans", "magnificent_seven"]
    assert titans == seven
    assert [line for basket, line in days if basket == "magnificent_seven"] == ["magnificent_seven"]
    assert date(2025, 1, 29) in titans, "Hong Kong is closed on Lunar New Year"
    sessions = [
        day
        for (day,) in ask(
            settings,
            "select date from marts.dim_dates where (is_session_hk or is_session_us) and is_complete order by 1",
        )
    ]
    assert titans == [day for day in sessions if day >= titans[0]]
    first = ask(settings, "select distinct arg_min(line_level, date) from reports.rebased_levels group by basket_id, line_id")  # fmt: skip
    assert first == [(100.0,)]
    assert ask(settings, "select count(*) from reports.rebased_levels where line_level is null") == [(0,)]


def test_lines_are_those_of_the_closes(built_real_store: Settings, closes: pd.DataFrame) -> None:
    """Levels of annually rebalanced baskets out of the vendor's own closes, carried over the days of the other."""
    levels = pd.DataFrame(
        {"china_titans": annual_levels(closes[TITANS].dropna()), "magnificent_seven": annual_levels(closes[MAG7].dropna())}
    ).ffill()  # fmt: skip
    levels = levels.dropna()
    expected = 100 * levels / levels.iloc[0]
    found = ask(
        built_real_store,
        "select line_id, date, line_level, relative_level from reports.rebased_levels where basket_id = 'china_titans'",
    )
    assert len(found) == 2 * len(expected)
    for line, day, level, relative in found:
        row = expected.loc[pd.Timestamp(day)]
        assert level == pytest.approx(row[line], rel=1e-9)
        if line == "china_titans":
            assert relative == pytest.approx(100 * row["china_titans"] / row["magnificent_seven"], rel=1e-9)
        else:
            assert relative is None


def assert_falls_and_years(file: Path, page: BasketFigures) -> None:
    basket = page.basket["basket_id"]
    falls = rows_of(file, f"from reports.drawdowns where basket_id = '{basket}' order by depth_rank")
    of_a_fall = ("depth", "peak_date", "trough_date", "recovery_date")
    assert [row["depth_rank"] for row in falls] == list(range(1, len(falls) + 1))
    assert [[row[column] for column in of_a_fall] for row in falls[: len(page.drawdowns.rows)]] == [
        [row[column] for column in of_a_fall] for row in page.drawdowns.rows
    ]
    for row in falls:
        end = row["recovery_date"]
        assert row["days_down"] == (row["trough_date"] - row["peak_date"]).days
        assert row["days_up"] == ((end - row["trough_date"]).days if end else None)
    bars = {(row["year"], row["line_id"]): (row["line_return"], row["counted_to"], row["is_partial"]) for row in rows_of(file, f"from reports.calendar_years where basket_id = '{basket}'")}  # fmt: skip
    assert page.years.rows
    for year in page.years.rows:
        number, comparator = year["period_start"].year, year["comparator_basket_id"]
        assert bars[number, basket] == (year["period_return"], year["counted_to"], year["is_partial"])
        if year["comparator_return"] is not None:
            expected = pytest.approx(year["comparator_return"], rel=0, abs=1e-9)
            assert bars[number, comparator] == (expected, year["counted_to"], year["is_partial"])
        else:
            assert (number, comparator) not in bars


@both_stores
def test_tables_of_a_basket_say_what_its_page_says(settings: Settings) -> None:
    for page in pages(settings).baskets:
        basket = page.basket["basket_id"]
        members = rows(settings, f"from reports.members where basket_id = '{basket}' order by weight_close desc nulls last, symbol")  # fmt: skip
        shown = ("symbol", "security_name", "weight_close", "contribution_ytd", "return_ytd", "forward_pe", "is_loss_maker", "has_left")  # fmt: skip
        assert [[row[column] for column in shown] for row in members] == [
            [row[column] for column in shown] for row in page.members.rows
        ]
        assert_falls_and_years(settings.published.link, page)


def test_a_basket_that_is_ahead_stands_as_of_the_day_of_all(
    built_sample_store: Settings, copy_store: CopyStore, tmp_path: Path
) -> None:
    """The figures are of the session before the lowest one of the deepest fall: a year and a fall know nothing later."""
    settings = copy_store(built_sample_store)
    plain = "currency_basis = 'local' and return_type = 'price'"
    ((day, peak),) = ask(
        settings,
        f"""select (select max(date) from marts.fct_basket_daily where basket_id = 'china_titans' and date < trough_date), peak_date
        from marts.fct_drawdown_episodes where subject_id = 'china_titans' and {plain} order by depth limit 1""",
    )
    with duckdb.connect(str(settings.store.warehouse)) as connection:
        connection.execute("update marts.dim_dates set is_complete = date <= ?", [day])
    transform_only(settings, "factsheet", "calendar_years", "drawdowns")
    published = Path(shutil.copyfile(settings.published.link, tmp_path / "titans.duckdb"))
    with duckdb.connect(str(published)) as connection:
        connection.execute("update ops.publications set as_of = ?", [day])
        report = read_report(connection)
    for page in report.baskets:
        assert_falls_and_years(settings.store.warehouse, page)

    titans = "basket_id = 'china_titans'"
    levels = dict(ask(settings, f"select date, level from marts.fct_basket_daily where {titans} and {plain}"))
    ((own, excess),) = ask(
        settings,
        f"""select return_ytd, excess_return_ytd from marts.fct_basket_daily
        inner join marts.fct_basket_comparison_daily using (basket_id, date, currency_basis, return_type)
        where {titans} and {plain} and date = '{day}' and is_default_comparator""",
    )
    bars = rows_of(settings.store.warehouse, f"from reports.calendar_years where {titans} order by counted_to, line_id")
    assert [(row["line_id"], row["line_return"], row["counted_to"]) for row in bars[-2:]] == [
        ("china_titans", pytest.approx(own), day),
        ("magnificent_seven", pytest.approx(own - excess), day),
    ]
    falls = rows_of(settings.store.warehouse, f"from reports.drawdowns where {titans} order by peak_date")
    lowest = min((level, date) for date, level in levels.items() if peak <= date <= day)
    assert {column: falls[-1][column] for column in ("peak_date", "depth", "trough_date", "recovery_date")} == {
        "peak_date": peak,
        "depth": pytest.approx(lowest[0] / levels[peak] - 1),
        "trough_date": lowest[1],
        "recovery_date": None,
    }


@both_stores
def test_growth_is_that_of_the_estimates(settings: Settings) -> None:
    found = rows(
        settings,
        """select members.expected_growth, values.eps_fy1, values.eps_fy2 from reports.members
        inner join marts.fct_security_valuation_daily as values on members.symbol = values.symbol and members.as_of = values.date""",
    )
    grown = [row for row in found if (row["eps_fy1"] or 0) > 0 and row["eps_fy2"] is not None]
    assert [row["expected_growth"] for row in grown] == pytest.approx(
        [(row["eps_fy2"] - row["eps_fy1"]) / row["eps_fy1"] for row in grown], rel=1e-9
    )
    assert all(row["expected_growth"] is None for row in found if row not in grown)


@both_stores
def test_headlines_and_claims_are_those_of_the_published_day(settings: Settings) -> None:
    ((day,),) = ask(settings, "select arg_max(as_of, published_at) from ops.publications")
    headlines = rows(settings, "from reports.latest_headlines")
    expected = rows(settings, f"from marts.fct_headlines where as_of = '{day}'")
    assert {row["headline_id"]: (row["sentence"], row["value_text"]) for row in headlines} == {
        row["headline_id"]: (row["sentence"], row["value_text"]) for row in expected
    }
    of_pair = {row["headline_id"]: (row["basket_id"], row["basket_name"] is None) for row in headlines}
    assert of_pair["china_titans_vs_magnificent_seven_excess_return_ytd"] == ("china_titans", False)
    assert [row for row in headlines if row["headline_id"].startswith("^") and row["basket_id"]] == []
    claims = rows(settings, "from reports.press_check")
    checked = {row["claim_id"]: row for row in pages(settings).press.rows}
    assert {row["claim_id"] for row in claims} == checked.keys()
    for claim in claims:
        page = checked[claim["claim_id"]]
        assert (claim["verdict"], claim["value_text"], claim["explanation"]) == (
            page["verdict"], page["value_text"], page["explanation"],
        )  # fmt: skip
        subjects = page["subject"].split(" vs ")
        assert claim["basket_id"] == (subjects[0] if subjects[0] in ("china_titans", "magnificent_seven") else None)
