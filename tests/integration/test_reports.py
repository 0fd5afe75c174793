"""Schema reports: what a dashboard draws, against the report's pages, the marts and levels computed a second way."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pandas as pd
import pytest

from include.publishing.report.figures import Report
from include.publishing.report.read import read_report
from include.settings import Settings
from tests.integration.test_marts_recomputed import MAG7, TITANS, annual_levels
from tests.integration.test_marts_recomputed import closes as closes
from tests.pipeline import ask

both_stores = pytest.mark.parametrize("store", ["built_sample_store", "built_real_store"])


@pytest.fixture
def settings(store: str, request: pytest.FixtureRequest) -> Settings:
    found: Settings = request.getfixturevalue(store)
    return found


def pages(settings: Settings) -> Report:
    with duckdb.connect(str(settings.published.link), read_only=True) as connection:
        return read_report(connection)


def rows(settings: Settings, sql: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(settings.published.link), read_only=True) as connection:
        found = connection.execute(sql)
        columns = [column[0] for column in found.description or []]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


@both_stores
def test_a_factsheet_says_what_the_page_of_the_basket_says(settings: Settings) -> None:
    sheets = {sheet["basket_id"]: sheet for sheet in rows(settings, "from reports.factsheet")}
    report = pages(settings)
    assert sheets.keys() == {page.basket["basket_id"] for page in report.baskets}
    for page in report.baskets:
        sheet, basket = sheets[page.basket["basket_id"]], page.basket
        assert (sheet["basket_name"], sheet["as_of"], sheet["comparator_name"], sheet["is_simulated"]) == (
            basket["basket_name"], basket["as_of"], basket["comparator_name"], basket["is_simulated"],
        )  # fmt: skip
        own = {(row.get("currency_basis"), row.get("return_type")): row for row in page.returns.rows if row.get("basket_id") == basket["basket_id"]}  # fmt: skip
        local = own["local", "price"]
        for column in ("members", "members_priced", "return_1m", "return_3m", "return_ytd", "return_1y", "drawdown",
                       "return_3y_annualised", "return_5y_annualised", "return_since_base_annualised"):  # fmt: skip
            assert sheet[column] == local[column], column
        assert sheet["return_ytd_with_dividends"] == own["local", "total"]["return_ytd"]
        assert sheet["return_ytd_usd"] == own["usd", "price"]["return_ytd"]
        risk = {row["window_length"]: row for row in page.risk.rows}
        for window in ("1y", "3y"):
            assert sheet[f"volatility_{window}"] == risk.get(window, {}).get("volatility")
        assert sheet["max_drawdown_3y"] == risk.get("3y", {}).get("max_drawdown")
        for row in page.valuation.rows:
            for column in ("forward_pe_basket_weighted", "weight_covered", "forward_pe_aggregate", "coverage_ratio", "forward_pe_discount"):  # fmt: skip
                assert sheet[column] == row[column], column
        for row in page.value_gained.rows:
            for column in ("market_value_usd", "change_ytd_usd", "price_effect_usd", "fx_effect_usd",
                           "issuance_effect_usd", "membership_effect_usd", "is_shares_backcast"):  # fmt: skip
                assert sheet[column] == row[column], column
        difference = [row for row in page.returns.rows if row.get("is_difference")]
        for column in ("1m", "ytd", "1y"):
            expected = difference[0][f"return_{column}"] if difference else None
            assert sheet[f"excess_return_{column}"] == expected


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


@both_stores
def test_tables_of_a_basket_say_what_its_page_says(settings: Settings) -> None:
    for page in pages(settings).baskets:
        basket = page.basket["basket_id"]
        members = rows(settings, f"from reports.members where basket_id = '{basket}' order by weight_close desc nulls last, symbol")  # fmt: skip
        shown = ("symbol", "security_name", "weight_close", "contribution_ytd", "return_ytd", "forward_pe", "is_loss_maker", "has_left")  # fmt: skip
        assert [[row[column] for column in shown] for row in members] == [
            [row[column] for column in shown] for row in page.members.rows
        ]
        falls = rows(settings, f"from reports.drawdowns where basket_id = '{basket}' order by depth_rank")
        of_a_fall = ("depth", "peak_date", "trough_date", "recovery_date", "days_down", "days_up")
        assert [row["depth_rank"] for row in falls] == list(range(1, len(falls) + 1))
        assert [[row[column] for column in of_a_fall] for row in falls[: len(page.drawdowns.rows)]] == [
            [row[column] for column in of_a_fall] for row in page.drawdowns.rows
        ]
        bars = {(row["year"], row["line_id"]): (row["line_return"], row["is_partial"]) for row in rows(settings, f"from reports.calendar_years where basket_id = '{basket}'")}  # fmt: skip
        assert page.years.rows
        for year in page.years.rows:
            number, comparator = year["period_start"].year, year["comparator_basket_id"]
            assert bars[number, basket] == (year["period_return"], year["is_partial"])
            if year["comparator_return"] is not None:
                assert bars[number, comparator] == (year["comparator_return"], year["is_partial"])
            else:
                assert (number, comparator) not in bars


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
