"""What Python reads out of the dbt project."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.dbt_facts import claim_measures, dbt_vars, mart_keys, written_orders
from include.errors import TitansError
from include.settings import PROJECT_ROOT

DBT_PROJECT = PROJECT_ROOT / "dbt_project"


def test_the_limits_of_the_project_are_read() -> None:
    found = dbt_vars(DBT_PROJECT)
    assert found.max_sessions_missed == 5
    assert found.min_coverage_ratio == 0.8
    assert found.periods[:2] == ("1d", "wtd")
    assert found.revision_days == (7, 30, 90)
    assert (found.risk_windows["3y"].cycle, found.risk_windows["3y"].returns) == ("month", 36)


def test_the_keys_of_the_marts_are_read() -> None:
    keys = mart_keys(DBT_PROJECT)
    assert keys["marts.dim_baskets"] == ("basket_id",)
    assert keys["marts.fct_basket_daily"] == ("basket_id", "date", "currency_basis", "return_type")
    assert set(keys) == {
        f"marts.{path.stem}" for path in (DBT_PROJECT / "models").rglob("*.sql") if path.stem[:4] in ("dim_", "fct_")
    }


def test_rows_are_written_in_an_order_of_their_own_or_by_key() -> None:
    orders = written_orders(DBT_PROJECT)
    assert orders["fct_security_daily"] == ("symbol", "date")
    assert orders["fct_basket_member_daily"] == ("basket_id", "date", "symbol", "currency_basis", "return_type")
    assert orders["freshness"] == ("symbol",)
    assert "rejected_rows" not in orders


def test_the_measures_of_claims_are_read() -> None:
    """As docs/QUERIES.md and the README promise them."""
    found = claim_measures(DBT_PROJECT)
    periods = ("1d", "wtd", "mtd", "qtd", "ytd", "1m", "3m", "6m", "1y", "3y", "5y")
    returns = {f"return_{period}": "ratio" for period in periods}
    assert found == {
        "basket": {
            **returns,
            "drawdown": "ratio",
            "market_value_usd": "usd",
            "market_value_change_ytd_usd": "usd",
            "forward_pe": "times",
        },
        "pair": {**{f"excess_{measure}": unit for measure, unit in returns.items()}, "forward_pe_discount": "ratio"},
        "index": {**returns, "drawdown": "ratio", "highest_since": "year", "record_high_date": "year"},
        "equity": {**returns, "drawdown": "ratio", "market_value_usd": "usd", "forward_pe": "times"},
    }


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("min_coverage_ratio: 0.8", "min_coverage_ratio: 80", "min_coverage_ratio"),
        ("max_fx_age_days: 7", "max_fx_age_days: '7'", "max_fx_age_days"),
        ("max_fx_age_days: 7", "max_fx_aeg_days: 7", "max_fx_age_days"),
        ("max_fx_age_days: 7", "max_fx_age_days: 7\n  limit: 1", "limit"),
        ("3y: {cycle: month, returns: 36}", "3y: {cycle: year, returns: 3}", "risk_windows.3y.cycle"),
        ("1y: {cycle: week, returns: 52}", "1y: {cycle: week, returns: 0}", "risk_windows.1y.returns"),
        ("revision_days: [7, 30, 90]", "revision_days: [7, 0]", "revision_days.1"),
        ("vars:", "variables:", "has no vars"),
        ("vars:", "vars: [", "not YAML"),
    ],
)
def test_malformed_variables_are_refused(project_copy: Path, before: str, after: str, named: str) -> None:
    path = project_copy / "dbt_project.yml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(TitansError, match=named):
        dbt_vars(project_copy)


def test_a_mart_without_a_key_is_refused(project_copy: Path) -> None:
    (project_copy / "models" / "marts" / "fct_new.yml").write_text("models:\n  - name: fct_new\n", encoding="utf-8")
    with pytest.raises(TitansError, match="fct_new has no key"):
        mart_keys(project_copy)


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TitansError, match=r"dbt_project\.yml cannot be read"):
        dbt_vars(tmp_path)
    with pytest.raises(TitansError, match="describes no mart"):
        mart_keys(tmp_path)


@pytest.mark.parametrize("content", [None, "kind,measure\nbasket,drawdown\n"])
def test_unreadable_measures_are_refused(project_copy: Path, content: str | None) -> None:
    path = project_copy / "facts" / "measures.csv"
    if content is None:
        path.unlink()
    else:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(TitansError, match=r"measures\.csv cannot be read"):
        claim_measures(project_copy)
