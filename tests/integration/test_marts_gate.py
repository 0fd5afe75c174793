"""Gate 2, check by check: the sample passes, and one planted fault each fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import duckdb
import pytest

from include.dbt_facts import dbt_vars, mart_keys
from include.gates import marts_gate
from include.settings import PROJECT_ROOT, Settings

DBT_PROJECT = PROJECT_ROOT / "dbt_project"
CHECKS = {check.name: check for check in marts_gate.checks(DBT_PROJECT)}

FAULTS = {
    "basket_returns_chain": "update marts.fct_basket_daily set return_1d = return_1d + 1e-6 where date = '2025-03-07'",
    "basket_figures_covered": "update marts.fct_basket_valuation_daily set trailing_pe_weight_covered = 0 where date = '2025-03-07'",
    "baskets_priced": "update marts.fct_basket_daily set members_priced = 0 where date = '2025-03-07'",
    "baskets_start_when_wanted": "update seeds.baskets set base_date = '2021-01-04'; update marts.dim_baskets set base_date = '2021-02-01'",
    "breadth_in_range": "update marts.fct_basket_valuation_daily set revision_breadth_7d = 1.5 where date = '2025-03-07'",
    "calendar_returns_are_daily": "update marts.fct_basket_calendar_returns set period_return = period_return + 1e-6 where period_type = 'year'",
    "closes_have_dollars": "update marts.fct_security_daily set close_usd = null where date = '2025-03-07'",
    "closes_positive": "update marts.fct_security_daily set close = 0 where date = '2025-03-07'",
    "closes_unsuspicious": "update marts.fct_security_daily set is_suspect = true where date = '2025-03-07'",
    "contributions_add_up": "delete from marts.fct_basket_member_daily where symbol = 'NVDA' and date = '2025-03-07'",
    "corrections_match": "insert into seeds.vendor_corrections (symbol, date, field, value) values ('NVDA', '2025-03-08', 'close', 1)",
    "coverage_in_range": "update marts.fct_basket_valuation_daily set coverage_ratio = 1.01 where date = '2025-03-07'",
    "dividend_yields_in_range": "update marts.fct_security_daily set dividend_payments_ttm = 0 where symbol = 'MSFT'",
    "dividends_apart": "update marts.fct_corporate_actions set date = '2025-01-01' where symbol = 'MSFT' and date > '2024-06-01'",
    "dividends_convertible": "update marts.fct_corporate_actions set value_in_price_currency = null where symbol = 'MSFT'",
    "dollar_identity": "update marts.fct_security_daily set return_usd_1d = return_usd_1d + 1e-6 where date = '2025-03-07'",
    "drawdown_episodes_deepest": "delete from marts.fct_drawdown_episodes where subject_id = 'HSTECH.HK'",
    "dollars_begin_later": "update marts.fct_security_daily set close_usd = null where currency = 'HKD' and date < '2021-01-10'; "
    "update intermediate.int_fx_first_rates set first_date = '2021-01-10' where currency = 'HKD'",
    "drawdowns_in_range": "update marts.fct_security_daily set drawdown = 0.01 where date = '2025-03-07'",
    "estimates_convertible": "update marts.fct_security_valuation_daily set eps_fy1 = null where date = '2025-03-07'",
    "estimates_cover_baskets": "update marts.fct_basket_valuation_daily set weight_covered = 0.79 where date = '2025-03-07'",
    "estimates_have_analysts": "update marts.fct_estimate_snapshots set analyst_count = 0",
    "event_excess_has_a_yardstick": "update marts.fct_event_windows set excess_return = 0.1 where session_offset = 0",
    "event_windows_chain": "update marts.fct_event_windows set cumulative_return = cumulative_return + 1e-6 where session_offset = 3",
    "event_windows_start_at_zero": "delete from marts.fct_event_windows where session_offset = 3",
    "events_in_the_data": "delete from marts.fct_event_windows where event_id = 'nasdaq_record'",
    "every_basket_filled": "delete from marts.fct_basket_daily where basket_id = 'magnificent_seven'",
    "excess_identity": "update marts.fct_basket_comparison_daily set excess_return_ytd = excess_return_ytd + 1e-6 where basket_id = 'china_titans'",
    "exposures_sum_to_one": "delete from marts.fct_basket_exposures where kind = 'sector' and value = 'Communication Services'",
    "fiscal_years_steady": "update intermediate.int_fiscal_year_ends set is_transition_year = true",
    "forward_pe_in_range": "update marts.fct_security_valuation_daily set forward_pe = -forward_pe where date = '2025-03-07'",
    "forward_pe_plausible": "update marts.fct_security_valuation_daily set forward_pe = 2.9 where date = '2025-03-07'",
    "headlines_speak": "update marts.fct_headlines set sentence = null where as_of = '2025-03-07'",
    "index_records_hold": "update marts.fct_index_daily set level = 1.01 * record_high where date = '2025-03-07'",
    "levels_positive": "update marts.fct_basket_daily set level = 0 where date = '2025-03-07'",
    "market_value_parts_add_up": "update marts.fct_basket_market_value_daily set price_effect_usd = price_effect_usd + 1",
    "market_values_positive": "update marts.fct_basket_market_value_daily set market_value_usd = 0 where date = '2025-03-07'",
    "member_weights_sum_to_one": "update marts.fct_basket_member_daily set weight_close = 1.01 * weight_close where date = '2025-03-07'",
    "members_bought": "delete from intermediate.int_basket_holdings where symbol = 'NVDA'",
    "members_in_range": "update marts.fct_basket_daily set members_priced = members + 1 where date = '2025-03-07'",
    "nothing_lost": "insert into quality.rows_before select * replace (row_count + 1 as row_count) from quality.rows_now limit 1",
    "ntm_eps_between_its_years": "update marts.fct_security_valuation_daily set eps_ntm = 2 * greatest(eps_fy1, eps_fy2)",
    "press_claims_all_judged": "delete from marts.fct_press_reconciliation where evaluated_at = 'session_before'",
    "press_verdicts_explained": "update marts.fct_press_reconciliation set explanation = null where verdict = 'differs'",
    "press_verdicts_follow": "update marts.fct_press_reconciliation set verdict = 'agrees' where verdict = 'differs'",
    "prices_filled": "delete from marts.fct_security_daily; delete from marts.fct_index_daily",
    "returns_in_range": "update marts.fct_security_daily set return_1d = -1 where date = '2025-03-07'",
    "revisions_complete": "update marts.fct_estimate_revisions set change_7d = change_7d + 0.01",
    "risk_at_month_ends": "delete from marts.fct_basket_risk where date = '2025-03-07' and window_length = '3y'",
    "risk_drawdowns_within_records": "update marts.fct_basket_risk set max_drawdown = -0.99 where max_drawdown < 0",
    "risk_in_range": "update marts.fct_basket_risk set volatility = -volatility",
    "sharpe_ratios_explained": "update marts.fct_basket_risk set sharpe_ratio = null where date = '2025-03-07'",
    "symbols_not_behind": "update ops.freshness set sessions_behind = 1 where symbol = 'NVDA'",
    "trailing_multiples_explained": "update marts.fct_security_fundamentals set trailing_pe = null where symbol = 'NVDA'",
    "trailing_pe_plausible": "update marts.fct_security_fundamentals set trailing_pe = 2.9",
    "turnover_in_range": "update marts.fct_basket_exposures set turnover = 1.5 where turnover is not null",
    "universe_ranks_hold": "update marts.fct_universe_ranking set missing = null where symbol = '3690.HK'",
    "weights_sum_to_one": "update intermediate.int_basket_holdings set weight = 1.01 * weight",
    **{
        f"{table.removeprefix('marts.')}_key_unique": f"insert into {table} select * from {table} limit 1"
        for table in mart_keys(DBT_PROJECT)
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(
    built_sample_store: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    path = tmp_path_factory.mktemp("marts_gate") / "warehouse.duckdb"
    shutil.copyfile(built_sample_store.store.warehouse, path)
    with duckdb.connect(str(path)) as connection:
        yield connection


def test_every_check_has_a_planted_fault() -> None:
    assert set(FAULTS) == set(CHECKS)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_fails_on_its_fault_only(warehouse: duckdb.DuckDBPyConnection, name: str) -> None:
    query = CHECKS[name].query
    assert warehouse.execute(query).fetchall() == []
    warehouse.execute("begin")
    try:
        warehouse.execute(FAULTS[name])
        assert len(warehouse.execute(query).fetchall()) >= 1
    finally:
        warehouse.execute("rollback")


@pytest.mark.parametrize(
    "fault", ["contribution_{period} + 1e-6", "case when symbol <> 'NVDA' then contribution_{period} end"]
)
@pytest.mark.parametrize("period", ["1d", *dbt_vars(DBT_PROJECT).contribution_periods, "since_base"])
def test_contributions_of_every_period_must_add_up(
    warehouse: duckdb.DuckDBPyConnection, period: str, fault: str
) -> None:
    change = fault.format(period=period)
    warehouse.execute("begin")
    try:
        warehouse.execute(f"update marts.fct_basket_member_daily set contribution_{period} = {change}")
        off = warehouse.execute(CHECKS["contributions_add_up"].query).fetchdf()
    finally:
        warehouse.execute("rollback")
    assert set(off["periods"]) == {period}
