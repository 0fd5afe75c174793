"""Gate 2: may people see these marts? Keys, identities, ranges, and nothing lost against the last generation of the same source."""

from __future__ import annotations

from pathlib import Path

import duckdb

from include.gates.runner import Check, Severity

KEYS: dict[str, tuple[str, ...]] = {
    "marts.dim_securities": ("symbol",),
    "marts.dim_baskets": ("basket_id",),
    "marts.dim_basket_members": ("basket_id", "symbol", "valid_from"),
    "marts.dim_market_events": ("event_id",),
    "marts.dim_dates": ("date",),
    "marts.fct_fx_daily": ("currency_pair", "date"),
    "marts.fct_corporate_actions": ("symbol", "date", "action"),
    "marts.fct_shares_outstanding": ("symbol", "as_of"),
    "marts.fct_security_daily": ("symbol", "date"),
    "marts.fct_index_daily": ("symbol", "date"),
    "marts.fct_basket_daily": ("basket_id", "date", "currency_basis", "return_type"),
    "marts.fct_basket_member_daily": ("basket_id", "symbol", "date", "currency_basis", "return_type"),
    "marts.fct_basket_comparison_daily": ("basket_id", "comparator_basket_id", "date", "currency_basis", "return_type"),
    "marts.fct_basket_market_value_daily": ("basket_id", "date"),
    "marts.fct_estimate_snapshots": ("symbol", "as_of", "metric", "period_type", "period_end"),
    "marts.fct_estimate_revisions": ("symbol", "as_of", "metric", "period_type", "period_end"),
    "marts.fct_security_valuation_daily": ("symbol", "date"),
    "marts.fct_basket_valuation_daily": ("basket_id", "date"),
    "marts.fct_headlines": ("as_of", "headline_id"),
    "marts.fct_event_windows": ("event_id", "subject_id", "session_offset"),
    "marts.fct_press_reconciliation": ("claim_id", "evaluated_at"),
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
            query=f"select {key[0]}, count(*) as occurrences from {{batch}} group by {key[0]} having count(*) > 1"
            if len(key) == 1
            else "",
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
        "A basket starts once all its initial members have a price, and for weights by market value a share count; until then it has no rows, "
        "and the other baskets are published. Let the source deliver them, give a late member a later valid_from, or correct base_date in baskets.csv.",
        """select baskets.basket_id, case
                when coalesce(baskets.base_date, starts.base_date) > (select max(date) from intermediate.int_security_values)
                    then 'no level yet: its base date ' || coalesce(baskets.base_date, starts.base_date) || ' is after the data'
                when baskets.base_date is not null then 'no level yet: no price of a member on or after its base date ' || baskets.base_date
                else 'no level yet: no price' || if(baskets.weighting = 'market_value', ' or no share count', '') || ' of ' || coalesce(missing.symbols, 'its members')
            end as detail
        from (select * from {batch}) as baskets
        inner join seeds.baskets as starts on baskets.basket_id = starts.basket_id
        left join (
            select members.basket_id, string_agg(members.symbol, ', ' order by members.symbol) as symbols
            from seeds.basket_members as members
            inner join seeds.baskets as wanted on members.basket_id = wanted.basket_id
            where members.symbol not in (select symbol from intermediate.int_security_values)
                or (wanted.weighting = 'market_value' and members.symbol not in (select symbol from intermediate.int_shares_split_adjusted))
            group by members.basket_id) as missing on baskets.basket_id = missing.basket_id
        where baskets.basket_id not in (select basket_id from marts.fct_basket_daily)""",
        "warning",
    ),
    _rows(
        "baskets_start_when_wanted",
        "marts.dim_baskets",
        "A base date of the seed lies before a member's first price (or share count, for weights by market value): the basket starts later than it says. "
        "Give the later date in baskets.csv, or the source older data.",
        """select baskets.basket_id, wanted.base_date as wanted_date, baskets.base_date
        from (select * from {batch}) as baskets
        inner join seeds.baskets as wanted on baskets.basket_id = wanted.basket_id and wanted.base_date is not null
        where baskets.base_date > (
            select min(sessions.date)
            from seeds.basket_members as members
            inner join seeds.securities as securities on members.symbol = securities.symbol
            inner join staging.stg_exchange_sessions as sessions on securities.exchange = sessions.exchange
            where members.basket_id = baskets.basket_id and sessions.date >= wanted.base_date
                and wanted.base_date between coalesce(members.valid_from, wanted.base_date) and coalesce(members.valid_to, wanted.base_date))""",
        "warning",
    ),
    _rows(
        "members_bought",
        "intermediate.int_basket_holdings",
        "A member that could not be bought at its basket's last rebalance waits for the next one: no price yet or none for more than 5 sessions, or no "
        "share count of its own time where weights follow market value.",
        """select last_held.basket_id, members.symbol, last_held.rebalance_date
        from (select basket_id, max(rebalance_date) as rebalance_date from {batch} group by basket_id) as last_held
        inner join intermediate.int_basket_rebalances as rebalances
            on last_held.basket_id = rebalances.basket_id and last_held.rebalance_date = rebalances.rebalance_date
        inner join seeds.basket_members as members
            on last_held.basket_id = members.basket_id
            and coalesce(members.valid_from, rebalances.next_session) <= rebalances.next_session
            and coalesce(members.valid_to, rebalances.next_session) >= rebalances.next_session
        where (last_held.basket_id, last_held.rebalance_date, members.symbol) not in (
            select (basket_id, rebalance_date, symbol) from intermediate.int_basket_holdings)
        order by all""",
        "warning",
    ),
    _rows(
        "baskets_priced",
        "marts.fct_basket_daily",
        "No member of the basket has a close of its last 5 sessions: the level stands still, and there is no market value and no P/E.",
        """select basket_id, count(distinct date) as days, max(date) as last_day from {batch} where members_priced = 0 group by basket_id""",
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
        "dividends_apart",
        "marts.fct_corporate_actions",
        "Two dividends within a week are more likely one told twice, or its gross and its net: both count as the vendor tells them; "
        "a correction of dividend to 0 in vendor_corrections.csv takes one out.",
        """select symbol, date, value, date_before, value_before from (
            select *, lag(date) over w as date_before, lag(value) over w as value_before from {batch} where action = 'dividend' and value > 0
            window w as (partition by symbol order by date))
        where date - date_before <= 7""",
        "warning",
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
        "No more members are priced than held, and at least one is held.",
        "select basket_id, date, members, members_priced from {batch} where members_priced > members or members < 1",
    ),
    _rows(
        "weights_sum_to_one",
        "intermediate.int_basket_holdings",
        "Weights that do not add up to 1 scale the whole basket.",
        """select basket_id, rebalance_date, sum(weight) as weights from {batch} group by basket_id, rebalance_date
        having abs(coalesce(sum(weight), 0) - 1) > 1e-9 or count(weight) < count(*)""",
    ),
    _rows(
        "member_weights_sum_to_one",
        "marts.fct_basket_member_daily",
        "At the open and at the close of each day the weights of a basket add up to 1; at the open of its base date there are none.",
        """select basket_id, date, currency_basis, return_type, weights_open, weights_close from (
            select basket_id, date, currency_basis, return_type, sum(weight_open) as weights_open, sum(weight_close) as weights_close,
                count(weight_open) = count(*) as is_opened, min(date) over (partition by basket_id) as first_date
            from {batch} group by basket_id, date, currency_basis, return_type)
        where abs(coalesce(weights_close, 0) - 1) > 1e-9
            or (date > first_date and (not is_opened or abs(weights_open - 1) > 1e-9)) or (date = first_date and weights_open is not null)""",
    ),
    *(
        _rows(
            f"contributions_add_up_{period}",
            "marts.fct_basket_member_daily",
            "What the members contributed is the return of their basket, also across rebalances.",
            f"""select returns.basket_id, returns.date, returns.currency_basis, returns.return_type, returns.return_{period}, members.contributions
            from (select basket_id, date, currency_basis, return_type, sum(contribution_{period}) as contributions,
                    count(*) = count(contribution_{period}) as is_whole
                from {{batch}} group by basket_id, date, currency_basis, return_type) as members
            full outer join marts.fct_basket_daily as returns
                on returns.basket_id = members.basket_id and returns.date = members.date
                and returns.currency_basis = members.currency_basis and returns.return_type = members.return_type
            where abs(members.contributions - returns.return_{period}) > 1e-9
                or (returns.return_{period} is null) <> (members.contributions is null)
                or (returns.return_{period} is not null and not members.is_whole)""",
        )
        for period in ("1d", "wtd", "mtd", "ytd")
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
        "market_value_parts_add_up",
        "marts.fct_basket_market_value_daily",
        "The parts of a change in market value are the whole of it, to the cent or, above a trillion dollars, as exact as a double holds the sum.",
        """select basket_id, date, change_ytd_usd, price_effect_usd + fx_effect_usd + issuance_effect_usd + membership_effect_usd as parts_usd from {batch}
        where abs(parts_usd - change_ytd_usd) > greatest(0.01, 1e-14 * (market_value_usd + abs(change_ytd_usd))) or (parts_usd is null) <> (change_ytd_usd is null)""",
    ),
    _rows(
        "coverage_in_range",
        "marts.fct_basket_valuation_daily",
        "Covered market value is a share of the whole.",
        "select basket_id, date, coverage_ratio from {batch} where coverage_ratio < 0 or coverage_ratio > 1 + 1e-9 or members_covered > members_priced",
    ),
    _rows(
        "forward_pe_in_range",
        "marts.fct_security_valuation_daily",
        "A forward P/E above zero belongs to expected earnings above zero.",
        "select symbol, date, forward_pe from {batch} where forward_pe <= 0 or (forward_pe is not null and eps_ntm <= 0)",
    ),
    _rows(
        "forward_pe_plausible",
        "marts.fct_security_valuation_daily",
        "A price of less than three years' earnings: an estimate per depositary receipt, in another unit or under the wrong currency looks like this.",
        """select symbol, date, forward_pe, eps_ntm, estimate_as_of
        from (select * from {batch} qualify date = max(date) over (partition by symbol)) as last_day where forward_pe < 3""",
        "warning",
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
        "event_windows_start_at_zero",
        "marts.fct_event_windows",
        "Every window counts from the close before its event, where its return is 0, over sessions without a gap.",
        """select event_id, subject_id, min(session_offset) as first_offset, max(session_offset) as last_offset, count(*) as sessions from {batch}
        group by event_id, subject_id
        having count(*) filter (where session_offset = 0 and cumulative_return = 0 and date between event_date - 10 and event_date) <> 1
            or min(session_offset) < -20 or max(session_offset) > 60 or count(*) <> max(session_offset) - min(session_offset) + 1""",
    ),
    _rows(
        "event_windows_chain",
        "marts.fct_event_windows",
        "From one session of a window to the next the level moves by the subject's own return of the day: else levels of two subjects were mixed up.",
        """select steps.event_id, steps.subject_id, steps.date, steps.growth, daily.return_1d from (
            select *, (1 + cumulative_return) / (1 + lag(cumulative_return) over (partition by event_id, subject_id order by session_offset)) as growth
            from {batch}) as steps
        left join (
            select basket_id as subject_id, date, return_1d from marts.fct_basket_daily where currency_basis = 'local' and return_type = 'price'
            union all select symbol, date, return_1d from marts.fct_security_daily
            union all select symbol, date, return_1d from marts.fct_index_daily
        ) as daily on steps.subject_id = daily.subject_id and steps.date = daily.date
        where steps.growth is not null and coalesce(abs(steps.growth - 1 - daily.return_1d) > 1e-9, true)""",
    ),
    _rows(
        "event_excess_has_a_yardstick",
        "marts.fct_event_windows",
        "An excess is over something, and 0 on the day that both count from.",
        """select event_id, subject_id, session_offset, excess_return from {batch}
        where (excess_return is not null and measured_against is null) or (session_offset = 0 and excess_return <> 0)""",
    ),
    _rows(
        "events_in_the_data",
        "marts.dim_market_events",
        "No subject has a session within 10 days before this event that the data reach, so it has no window: correct its date, or wait for the data.",
        """select event_id, name, date from (select * from {batch}) as events
        where event_id not in (select windows.event_id from marts.fct_event_windows as windows)""",
        "warning",
    ),
    _rows(
        "press_claims_all_judged",
        "staging.stg_press_claims",
        "Every claim is held against two sessions; one that is missing would be dropped silently.",
        """select claim_id from (select * from {batch}) as claims
        where (select count(*) from marts.fct_press_reconciliation as judged where judged.claim_id = claims.claim_id) <> 2""",
    ),
    _rows(
        "press_verdicts_follow",
        "marts.fct_press_reconciliation",
        "A verdict follows from value, claim and tolerance; what cannot be computed has a reason.",
        """select claim_id, evaluated_at, verdict, value, difference, tolerance from (
            select *, 2e-9 * greatest(1, abs(claimed_value), abs(value)) as slack,
                case when comparison in ('more_than', 'at_least') then tolerance + difference
                    when comparison in ('less_than', 'at_most') then tolerance - difference
                    else tolerance - abs(difference) end as room
            from {batch})
        where (verdict = 'agrees' and coalesce(room < -slack, true))
            or (verdict = 'differs' and room > slack)
            or (verdict = 'not_computable' and value is not null)
            or (value is null and reason is null)""",
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
        "A correction that stands over no row of the vendor's corrects nothing: the symbol, the day or the field is wrong, or the vendor lacks the row.",
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
        select symbol, date, field from staging.stg_vendor_corrections
        except
        select symbol, date, field from intermediate.int_corrections;
    """)


def _date_column(table: str) -> str:
    return "as_of" if table in ("fct_estimate_snapshots", "fct_shares_outstanding") else "date"
