"""Gate 2: may people see these marts? Keys, identities, ranges, and nothing lost against the last generation of the same source."""

from __future__ import annotations

from pathlib import Path

import duckdb

from include.quality.suite import Check, Severity

KEYS: dict[str, tuple[str, ...]] = {
    "marts.dim_securities": ("symbol",),
    "marts.dim_baskets": ("basket_id",),
    "marts.dim_dates": ("date",),
    "marts.fct_fx_daily": ("currency_pair", "date"),
    "marts.fct_corporate_actions": ("symbol", "date", "action"),
    "marts.fct_shares_outstanding": ("symbol", "as_of"),
    "marts.fct_security_daily": ("symbol", "date"),
    "marts.fct_index_daily": ("symbol", "date"),
    "marts.fct_basket_daily": ("basket_id", "date", "currency_basis", "return_type"),
    "marts.fct_basket_comparison_daily": ("basket_id", "comparator_basket_id", "date", "currency_basis", "return_type"),
    "marts.fct_basket_market_value_daily": ("basket_id", "date"),
    "marts.fct_estimate_snapshots": ("symbol", "as_of", "metric", "period_type", "period_end"),
    "marts.fct_estimate_revisions": ("symbol", "as_of", "metric", "period_type", "period_end"),
    "marts.fct_security_valuation_daily": ("symbol", "date"),
    "marts.fct_basket_valuation_daily": ("basket_id", "date"),
    "marts.fct_headlines": ("as_of", "headline_id"),
}
BASELINE_TABLES = (
    "fct_security_daily",
    "fct_index_daily",
    "fct_estimate_snapshots",
    "fct_shares_outstanding",
    "fct_security_valuation_daily",
)


def _rows(name: str, table: str, why: str, query: str, severity: Severity = "critical") -> Check:
    return Check(name=name, table=table, severity=severity, why=why, query=query)


CHECKS: tuple[Check, ...] = (
    *(
        Check(
            name=f"{table.split('.')[1]}_key_unique",
            table=table,
            severity="critical",
            why="Two rows of one key would count double in every sum.",
            unique=key if len(key) > 1 else (),
            query=f"select {key[0]}, count(*) as occurrences from {{batch}} group by {key[0]} having count(*) > 1" if len(key) == 1 else "",
        )
        for table, key in KEYS.items()
    ),
    _rows(
        "prices_filled",
        "marts.fct_security_daily",
        "A generation without prices must never replace one with them.",
        "select 'no row' as detail where (select count(*) from {batch}) = 0",
    ),
    _rows(
        "every_basket_filled",
        "marts.dim_baskets",
        "A basket starts once all its initial members have a price; until then it has no rows, and the other baskets are published.",
        """select baskets.basket_id, 'no level yet: an initial member has no price' as detail from (select * from {batch}) as baskets
        where baskets.basket_id not in (select basket_id from marts.fct_basket_daily)""",
        "warning",
    ),
    _rows(
        "closes_positive",
        "marts.fct_security_daily",
        "A price is above zero.",
        "select symbol, date, close from {batch} where close is null or close <= 0 or isnan(close) or isinf(close)",
    ),
    _rows(
        "closes_have_dollars",
        "marts.fct_security_daily",
        "No fixing within 7 days: every figure in dollars of that day would be wrong or missing.",
        "select symbol, date, close from {batch} where close_usd is null",
    ),
    _rows(
        "dividends_convertible",
        "marts.fct_corporate_actions",
        "A dividend without an exchange rate to the price's currency would be missing from total return; vendor_corrections can give it in that currency.",
        "select symbol, date, value, currency from {batch} where action = 'dividend' and value_in_price_currency is null",
    ),
    _rows(
        "returns_in_range",
        "marts.fct_security_daily",
        "A return is above -100%, and no default security has moved tenfold in a day.",
        "select symbol, date, return_1d from {batch} where return_1d <= -1 or return_1d > 9 or isnan(return_1d)",
    ),
    _rows(
        "drawdowns_in_range",
        "marts.fct_security_daily",
        "A drawdown lies between -100% and 0.",
        "select symbol, date, drawdown from {batch} where drawdown is null or drawdown > 0 or drawdown <= -1",
    ),
    _rows(
        "dollar_identity",
        "marts.fct_security_daily",
        "(1 + return in dollars) is (1 + local return) times the currency's: else a rate was mixed up.",
        """select today.symbol, today.date, today.return_usd_1d
        from (select * from {batch}) as today
        inner join (select symbol, date, close, close_usd, lag(close) over w as close_before, lag(close_usd) over w as usd_before
            from marts.fct_security_daily window w as (partition by symbol order by date)) as steps
            on today.symbol = steps.symbol and today.date = steps.date
        where abs((1 + today.return_usd_1d) - (1 + today.return_1d) * (steps.close_usd / steps.close) / (steps.usd_before / steps.close_before)) > 1e-9""",
    ),
    _rows(
        "levels_positive",
        "marts.fct_basket_daily",
        "A basket without a level on one of its days has a member without a value.",
        "select basket_id, date, currency_basis, return_type from {batch} where level is null or level <= 0 or isnan(level) or isinf(level)",
    ),
    _rows(
        "basket_returns_chain",
        "marts.fct_basket_daily",
        "A basket's return is a ratio of its levels.",
        """select basket_id, date, currency_basis, return_type, return_1d from (
            select *, lag(level) over (partition by basket_id, currency_basis, return_type order by date) as level_before from {batch})
        where abs(level / level_before - 1 - return_1d) > 1e-9""",
    ),
    _rows(
        "members_in_range",
        "marts.fct_basket_daily",
        "No more members are priced than held, and at least one is.",
        "select basket_id, date, members, members_priced from {batch} where members_priced > members or members_priced < 1",
    ),
    _rows(
        "weights_sum_to_one",
        "intermediate.int_basket_holdings",
        "Weights that do not add up to 1 scale the whole basket.",
        """select basket_id, rebalance_date, sum(weight) as weights from {batch} group by basket_id, rebalance_date
        having abs(coalesce(sum(weight), 0) - 1) > 1e-9 or count(weight) < count(*)""",
    ),
    _rows(
        "excess_identity",
        "marts.fct_basket_comparison_daily",
        "The excess of one basket over another is the negative of the reverse.",
        """select one.basket_id, one.comparator_basket_id, one.date, one.excess_return_ytd from (select * from {batch}) as one
        inner join marts.fct_basket_comparison_daily as two on one.basket_id = two.comparator_basket_id
            and one.comparator_basket_id = two.basket_id and one.date = two.date
            and one.currency_basis = two.currency_basis and one.return_type = two.return_type
        where abs(one.excess_return_ytd + two.excess_return_ytd) > 1e-9""",
    ),
    _rows(
        "market_values_positive",
        "marts.fct_basket_market_value_daily",
        "A market value is above zero.",
        "select basket_id, date, market_value_usd from {batch} where market_value_usd <= 0",
    ),
    _rows(
        "coverage_in_range",
        "marts.fct_basket_valuation_daily",
        "Covered market value is a share of the whole.",
        "select basket_id, date, coverage_ratio from {batch} where coverage_ratio < 0 or coverage_ratio > 1 + 1e-9 or members_covered > members",
    ),
    _rows(
        "forward_pe_in_range",
        "marts.fct_security_valuation_daily",
        "A forward P/E above zero belongs to expected earnings above zero.",
        "select symbol, date, forward_pe from {batch} where forward_pe <= 0 or (forward_pe is not null and eps_ntm <= 0)",
    ),
    _rows(
        "ntm_eps_between_its_years",
        "marts.fct_security_valuation_daily",
        "Next-twelve-months earnings are a mean of two fiscal years: they lie between them.",
        """select symbol, date, eps_fy1, eps_fy2, eps_ntm from {batch} where ntm_method = 'weighted'
        and (eps_ntm < least(eps_fy1, eps_fy2) - 1e-9 * abs(eps_ntm) or eps_ntm > greatest(eps_fy1, eps_fy2) + 1e-9 * abs(eps_ntm))""",
    ),
    _rows(
        "revisions_complete",
        "marts.fct_estimate_revisions",
        "Every estimate has its row, and mean less change is the mean of the snapshot that the change names as its base.",
        """select estimates.symbol, estimates.as_of, estimates.period_type, estimates.period_end, revisions.change_7d, revisions.base_as_of_7d
        from marts.fct_estimate_snapshots as estimates
        left join (select * from {batch}) as revisions on estimates.symbol = revisions.symbol and estimates.as_of = revisions.as_of
            and estimates.metric = revisions.metric and estimates.period_type = revisions.period_type and estimates.period_end = revisions.period_end
        left join marts.fct_estimate_snapshots as base on revisions.symbol = base.symbol and revisions.base_as_of_7d = base.as_of
            and revisions.metric = base.metric and revisions.period_type = base.period_type and revisions.period_end = base.period_end
        where revisions.symbol is null or (revisions.change_7d is null) <> (base.mean is null)
            or abs(estimates.mean - revisions.change_7d - base.mean) > 1e-9 * greatest(abs(base.mean), abs(estimates.mean))""",
    ),
    _rows(
        "breadth_in_range",
        "marts.fct_basket_valuation_daily",
        "Breadth lies between -1 (all revised down) and 1, and is told of members that are priced.",
        """select basket_id, date, revision_breadth_7d, revision_breadth_30d, revision_breadth_90d from {batch}
        where greatest(abs(revision_breadth_7d), abs(revision_breadth_30d), abs(revision_breadth_90d)) > 1
            or greatest(revision_members_7d, revision_members_30d, revision_members_90d) > members_priced""",
    ),
    _rows(
        "index_records_hold",
        "marts.fct_index_daily",
        "No level stands above its record.",
        "select symbol, date, level, record_high from {batch} where level > record_high or drawdown > 0",
    ),
    _rows(
        "headlines_speak",
        "marts.fct_headlines",
        "A headline without a sentence says nothing.",
        "select as_of, headline_id from {batch} where sentence is null or value_text is null",
    ),
    _rows(
        "nothing_lost",
        "quality.lost_rows",
        "Rows of the last generation are gone. Look for a changed calendar_overrides.csv, a quarantined unit or a withdrawn file and undo it; "
        'only if they are meant to go, ACCEPT_LOSS="reason" lets one build pass.',
        "select table_name, symbol, month, rows_before, rows_now from {batch}",
    ),
    _rows(
        "symbols_not_behind",
        "ops.freshness",
        "A symbol without a close in the last closed session of its exchange shows an old one.",
        "select symbol, last_date, sessions_behind from {batch} where sessions_behind > 0",
        "warning",
    ),
    _rows(
        "corrections_match",
        "quality.unmatched_corrections",
        "A correction that stands over no row corrects nothing: the symbol, the day or the field is wrong, or the vendor lacks the row.",
        "select symbol, date, field from {batch}",
        "warning",
    ),
    _rows(
        "estimates_cover_baskets",
        "marts.fct_basket_valuation_daily",
        "Below 80% of market value the forward P/E is not told.",
        """select basket_id, date, members_covered, members, coverage_ratio
        from (select * from {batch} qualify date = max(date) over (partition by basket_id)) as last_day
        where coalesce(coverage_ratio, 0) < 0.8""",
        "warning",
    ),
    _rows(
        "fiscal_years_steady",
        "intermediate.int_fiscal_year_ends",
        "A company has moved the end of its fiscal year, or the vendor names a wrong one. The year that ends there is not twelve months long: "
        "while it is the running one there is no forward P/E.",
        """select symbol, as_of, end_before as before, period_end as after from {batch}
        where is_transition_year and greatest(period_end, as_of + 100) >= (select max(date) from marts.fct_security_valuation_daily)""",
        "warning",
    ),
    _rows(
        "estimates_have_analysts",
        "marts.fct_estimate_snapshots",
        "An estimate of no analyst: it counts as the vendor gives it, but ask where it comes from.",
        """select symbol, as_of, period_end, mean from (select * from {batch} qualify as_of = max(as_of) over (partition by symbol)) as newest
        where analyst_count = 0""",
        "warning",
    ),
    _rows(
        "estimates_convertible",
        "marts.fct_security_valuation_daily",
        "An estimate in a currency without a rate of the day is not used: name that currency as the reporting_currency in securities.csv, and its rate is fetched.",
        """select symbol, date, estimate_as_of, fy1_period_end from (select * from {batch} qualify date = max(date) over (partition by symbol)) as last_day
        where fy1_period_end is not null and eps_fy1 is null""",
        "warning",
    ),
    _rows(
        "closes_unsuspicious",
        "marts.fct_security_daily",
        "Flat rows without volume on half-days: the close may not be the close.",
        "select symbol, count(*) as days, max(date) as last_day from {batch} where is_suspect and not is_corrected group by symbol",
        "warning",
    ),
)


def prepare(connection: duckdb.DuckDBPyConnection, last_generation: Path | None) -> None:
    """Count the rows of the last generation of this source beside those of the new marts, for what is still in the seeds.

    Args:
        last_generation: published file of the same source, or None for the first one.
    """
    connection.execute("create schema if not exists quality")
    counts = " union all ".join(
        f"select '{table}' as table_name, symbol, strftime({_date_column(table)}, '%Y-%m') as month, count(*) as row_count "
        f"from {{database}}.marts.{table} group by all"
        for table in BASELINE_TABLES
    )
    connection.execute(f"create or replace table quality.rows_now as {counts.format(database='warehouse')}")
    if last_generation is None:
        connection.execute("create or replace table quality.rows_before as select * from quality.rows_now where false")
    else:
        literal = str(last_generation).replace("'", "''")
        connection.execute(f"attach '{literal}' as generation (read_only)")
        try:
            connection.execute(f"create or replace table quality.rows_before as {counts.format(database='generation')}")
        finally:
            connection.execute("detach generation")
    connection.execute("""
        create or replace view quality.lost_rows as
        select before.table_name, before.symbol, before.month, before.row_count as rows_before, coalesce(now.row_count, 0) as rows_now
        from quality.rows_before as before
        inner join seeds.securities as securities on before.symbol = securities.symbol
        left join quality.rows_now as now
            on before.table_name = now.table_name and before.symbol = now.symbol and before.month = now.month
        where coalesce(now.row_count, 0) < before.row_count;

        create or replace view quality.unmatched_corrections as
        select corrections.symbol, corrections.date, corrections.field
        from seeds.vendor_corrections as corrections
        left join staging.stg_prices as prices on corrections.symbol = prices.symbol and corrections.date = prices.date
        where prices.symbol is null;
    """)


def _date_column(table: str) -> str:
    return "as_of" if table in ("fct_estimate_snapshots", "fct_shares_outstanding") else "date"
