"""Gate 1: which units (batch and symbol) are fit to build on.

Every check is a query that returns one row for each unit that fails, with ``batch_id``, ``symbol`` and ``detail``. It reads the views that
``raw_views`` lays over raw: what has been fetched and not judged yet, next to what is already accepted.
"""

from __future__ import annotations

import duckdb

from include.gates.raw_views import CANDIDATE_VIEWS
from include.gates.runner import Check
from include.seeds.rows import Reference

JUMP_LOG_RETURN = 0.45
"""About +57% or -36% in one session: the largest real day of the default securities since 2020 is +36%; a 2:1 split is 0.69."""
FX_JUMP_LOG_RETURN = 0.1
SHARES_JUMP_LOG_RATIO = 0.4
MISSING_SHARE = 0.02
REJECTED_SHARE = 0.02
STALE_SESSIONS = 6
RESTATED_SESSIONS = 5
"""So many closes of a unit restated alike are no corrections of single days."""
ESTIMATES_JUMP_FACTOR = 3
SAME_SERIES_ROWS = 8
SAME_SERIES_SHARE = 0.9
FX_MAX_AGE_DAYS = 7


def prepare(connection: duckdb.DuckDBPyConnection, reference: Reference) -> None:
    """Lay the views. The connection must hold ``seed_securities``, which loading registers."""
    connection.execute("create schema if not exists quality")
    connection.execute(
        "create or replace table quality.corrections (symbol varchar, date date, field varchar, value double)"
    )
    if reference.vendor_corrections:
        connection.executemany(
            "insert into quality.corrections values (?, ?, ?, ?)",
            [[row.symbol, row.date, row.field, row.value] for row in reference.vendor_corrections],
        )
    connection.execute(CANDIDATE_VIEWS)


def _unit_check(name: str, severity: str, why: str, query: str, table: str = "quality.pending_units") -> Check:
    # GX passes a query through str.format: {batch} is the table, and no other brace may stand in it.
    return Check(
        name=name, table=table, severity="critical" if severity == "critical" else "warning", why=why, query=query
    )


CHECKS: tuple[Check, ...] = (
    _unit_check(
        "prices_not_empty",
        "critical",
        "A unit without a single usable row tells nothing of its symbol.",
        """select units.batch_id, units.symbol, 'no usable row among ' || units.row_count || ' delivered' as detail from (select * from {batch}) as units
        where units.dataset = 'prices' and units.symbol not in (select symbol from quality.candidate_prices)""",
    ),
    _unit_check(
        "last_session_present",
        "critical",
        "Without its last session a symbol would silently show an old close.",
        """select batch_id, symbol, 'no price for the last session, ' || max(date) as detail from {batch}
        group by batch_id, symbol having not arg_max(is_present, date)""",
        "quality.expected_sessions",
    ),
    _unit_check(
        "sessions_complete",
        "critical",
        f"More than {MISSING_SHARE:.0%} of a symbol's sessions missing means that its history was cut.",
        f"""select batch_id, symbol, count(*) filter (where not is_present) || ' of ' || count(*) || ' sessions missing' as detail from {{batch}}
        group by batch_id, symbol having count(*) filter (where not is_present) > greatest(1, {MISSING_SHARE} * count(*))""",
        "quality.expected_sessions",
    ),
    _unit_check(
        "no_missing_session",
        "warning",
        "A missing session is carried from the one before and marked as not traded.",
        """select batch_id, symbol, count(*) || ' sessions missing, last ' || max(date) as detail from {batch}
        where not is_present and date >= coalesce(start_date, date) group by batch_id, symbol""",
        "quality.expected_sessions",
    ),
    _unit_check(
        "prices_on_one_basis",
        "critical",
        "A split in the events that the prices do not include would show as a crash.",
        """select steps.batch_id, steps.symbol,
            'the price moves with the split of ' || splits.ex_date || ' (ratio ' || splits.ratio || '), which it should include' as detail
        from quality.price_steps as steps inner join quality.splits as splits
            on steps.symbol = splits.symbol and splits.ex_date <= steps.date and splits.ex_date > steps.previous_date
            and splits.ex_date <= steps.basis_date and (splits.ratio >= 1.4 or splits.ratio between 0.001 and 0.7)
        where (steps.is_pending or steps.previous_is_pending) and (select count(*) from {batch}) > 0
            and abs(ln(steps.close / steps.previous_close) + ln(splits.ratio)) < abs(ln(splits.ratio)) / 2""",
    ),
    _unit_check(
        "split_shows_in_prices",
        "critical",
        "A split that is told for the first time must change the closes of before it: if it does not, it is none, or the prices are not adjusted yet.",
        """select batch_id, symbol,
            'the split of ' || ex_date || ' (ratio ' || ratio || ') is new, and the closes of ' || min(date) || ' to ' || max(date) || ' stay as they were' as detail
        from {batch} group by batch_id, symbol, ex_date, ratio
        having bool_and(abs(ln(told_now / told_before)) < abs(ln(ratio)) / 2)""",
        "quality.new_splits",
    ),
    _unit_check(
        "no_jump_without_action",
        "critical",
        "A jump of this size without a corporate action is a wrong unit, a wrong symbol or a missed split.",
        # Whichever of the two rows is wrong: every unit still to be judged that takes part in the step is kept out.
        f"""select involved.batch_id, symbol,
            'close ' || round(previous_close, 4) || ' of ' || previous_date || ' to ' || round(close, 4) || ' of ' || date as detail
        from quality.price_steps,
            unnest([case when is_pending then batch_id end, case when previous_is_pending then previous_batch_id end]) as involved (batch_id)
        where involved.batch_id is not null and abs(ln(close / previous_close)) > {JUMP_LOG_RETURN} and (select count(*) from {{batch}}) > 0
        qualify row_number() over (partition by involved.batch_id, symbol order by abs(ln(close / previous_close)) desc, date) = 1""",
    ),
    _unit_check(
        "series_is_its_own",
        "critical",
        "Vendors have answered with one symbol's series under another's name.",
        f"""with pairs as (
            select a.symbol, b.symbol as other, count(*) as shared, count(*) filter (where a.close_as_told = b.close_as_told) as equal,
                unnest(list_distinct(list(a.batch_id))) as batch_id
            from quality.candidate_prices as a inner join quality.candidate_prices as b on a.date = b.date and a.symbol <> b.symbol
            where a.is_pending and (select count(*) from {{batch}}) > 0
            group by a.symbol, b.symbol)
        select batch_id, symbol, 'same closes as ' || other || ' on ' || equal || ' of ' || shared || ' days' as detail from pairs
        where shared >= {SAME_SERIES_ROWS} and equal >= {SAME_SERIES_SHARE} * shared""",
    ),
    _unit_check(
        "not_shifted",
        "critical",
        f"{RESTATED_SESSIONS} closes or more that are now told of the next or the last session: the vendor has moved the series by a day.",
        f"""select batch_id, symbol,
            'the closes of ' || count(*) filter (where is_of_before or is_of_after) || ' of ' || count(*) || ' restated sessions, '
                || min(date) || ' to ' || max(date) || ', are those of the session beside them' as detail
        from (select *, abs(close / accepted_close_before - 1) < 1e-6 as is_of_before, abs(close / accepted_close_after - 1) < 1e-6 as is_of_after
            from {{batch}})
        group by batch_id, symbol
        having greatest(count(*) filter (where is_of_before), count(*) filter (where is_of_after)) >= greatest({RESTATED_SESSIONS}, 0.8 * count(*))""",
        "quality.restated_prices",
    ),
    _unit_check(
        "history_not_rescaled",
        "critical",
        f"{RESTATED_SESSIONS} closes or more restated by one factor that no split explains: prices adjusted for dividends, or in another unit.",
        f"""select batch_id, symbol,
            count(*) || ' restated sessions, ' || min(date) || ' to ' || max(date) || ', moved by a factor of ' || round(median(factor), 5) as detail
        from (select *, abs(factor - lag(factor) over (partition by batch_id, symbol order by date)) <= 0.1 * abs(factor - 1) as is_alike from {{batch}})
        group by batch_id, symbol
        having count(*) filter (where is_alike) >= greatest({RESTATED_SESSIONS} - 1, 0.7 * count(*)) and abs(median(factor) - 1) > 1e-4""",
        "quality.restated_prices",
    ),
    _unit_check(
        "not_stale",
        "critical",
        f"{STALE_SESSIONS} closes in a row alike and without volume are a price that nobody made.",
        f"""with recent as (
            select prices.*, row_number() over (partition by prices.symbol order by prices.date desc) as age
            from quality.candidate_prices as prices inner join quality.unit_kinds as kinds on prices.symbol = kinds.symbol
            where kinds.kind = 'equity' and (select count(*) from {{batch}}) > 0)
        select unnest(list_distinct(list(batch_id) filter (where is_pending))) as batch_id, symbol,
            'close ' || min(close) || ' without volume since ' || min(date) as detail from recent
        where age <= {STALE_SESSIONS} group by symbol
        having count(*) = {STALE_SESSIONS} and min(close) = max(close) and coalesce(sum(volume), 0) = 0 and bool_or(is_pending)""",
    ),
    _unit_check(
        "rejected_rows_few",
        "critical",
        f"More than {REJECTED_SHARE:.0%} of a unit's rows broke a row rule: what is left is not the vendor's series.",
        f"""select batch_id, symbol, rejected_count || ' of ' || row_count || ' rows rejected' as detail from {{batch}}
        where rejected_count > greatest(2, {REJECTED_SHARE} * row_count)""",
    ),
    _unit_check(
        "no_rejected_row",
        "warning",
        "Rejected rows are kept with their reasons in ops.rejected_rows: correct them at the source and deliver them again.",
        # A row that a vendor repeats is kept once, so it may stand there with an earlier batch.
        """select units.batch_id, units.symbol, units.rejected_count || ' rejected' || coalesce(', such as ' || refused.example, '') as detail
        from (select * from {batch}) as units
        left join (
            select dataset, symbol, arg_max(coalesce(date::varchar, 'no date') || ' (' || array_to_string(reasons, ', ') || ')', (loaded_at, date)) as example
            from raw.rejected_rows group by dataset, symbol) as refused on units.dataset = refused.dataset and units.symbol = refused.symbol
        where units.rejected_count > 0""",
    ),
    _unit_check(
        "no_flat_half_day",
        "warning",
        "Some vendors fill half-days with a flat row whose price is not the close; it is published as is_suspect.",
        """select prices.batch_id, prices.symbol, count(*) || ' flat half-days without volume, last ' || max(prices.date) as detail
        from quality.candidate_prices as prices
        inner join quality.unit_kinds as kinds on prices.symbol = kinds.symbol and kinds.kind = 'equity'
        inner join raw.exchange_sessions as sessions
            on kinds.exchange = sessions.exchange and prices.date = sessions.date and sessions.is_half_day
        where prices.is_pending and prices.volume = 0 and prices.open = prices.high and prices.high = prices.low and prices.low = prices.close_as_told
            and (select count(*) from {batch}) > 0
        group by prices.batch_id, prices.symbol""",
    ),
    _unit_check(
        "fx_present",
        "critical",
        f"A rate older than {FX_MAX_AGE_DAYS} days is not used, so every price in that currency would lose its dollar value.",
        f"""select units.batch_id, units.symbol, 'last rate ' || coalesce(max(fx.date)::varchar, 'none') || ', wanted up to ' || units.end_date as detail
        from (select * from {{batch}}) as units left join quality.candidate_fx as fx on units.symbol = fx.symbol and fx.date <= units.end_date
        where units.dataset = 'fx_rates' group by units.batch_id, units.symbol, units.end_date
        having max(fx.date) is null or max(fx.date) < units.end_date - {FX_MAX_AGE_DAYS}""",
    ),
    _unit_check(
        "fx_no_jump",
        "critical",
        "A move of this size in a managed or major currency is a wrong rate.",
        f"""select involved.batch_id, symbol, 'rate ' || previous_rate || ' to ' || rate || ' on ' || date as detail from (
            select *, lag(rate) over w as previous_rate, lag(batch_id) over w as previous_batch_id, lag(is_pending) over w as previous_is_pending
            from quality.candidate_fx window w as (partition by symbol order by date)),
            unnest([case when is_pending then batch_id end, case when previous_is_pending then previous_batch_id end]) as involved (batch_id)
        where involved.batch_id is not null and abs(ln(rate / previous_rate)) > {FX_JUMP_LOG_RETURN} and (select count(*) from {{batch}}) > 0
        qualify row_number() over (partition by involved.batch_id, symbol order by date) = 1""",
    ),
    _unit_check(
        "fx_restated_little",
        "critical",
        "A rate that is told again and far from what it was is another pair's, or the same pair's upside down.",
        f"""select batch_id, symbol, count(*) || ' rates told anew, such as ' || arg_max(accepted_rate, date) || ' to ' || arg_max(rate, date) || ' on ' || max(date)
            as detail
        from {{batch}} where abs(ln(rate / accepted_rate)) > {FX_JUMP_LOG_RETURN} group by batch_id, symbol""",
        "quality.restated_fx",
    ),
    _unit_check(
        "shares_no_jump",
        "critical",
        "A share count that moves this much without a split is another share class or another unit.",
        f"""select involved.batch_id, symbol, 'shares ' || previous || ' to ' || shares_on_one_basis || ' on ' || as_of as detail from (
            select *, lag(shares_on_one_basis) over w as previous, lag(batch_id) over w as previous_batch_id, lag(is_pending) over w as previous_is_pending
            from quality.candidate_shares window w as (partition by symbol order by as_of)),
            unnest([case when is_pending then batch_id end, case when previous_is_pending then previous_batch_id end]) as involved (batch_id)
        where involved.batch_id is not null and abs(ln(shares_on_one_basis / previous)) > {SHARES_JUMP_LOG_RATIO}
            and (select count(*) from {{batch}}) > 0
        qualify row_number() over (partition by involved.batch_id, symbol order by as_of) = 1""",
    ),
    _unit_check(
        "estimates_no_jump",
        "warning",
        f"An estimate of one fiscal period that is suddenly more than {ESTIMATES_JUMP_FACTOR} times as large or small may be one per depositary receipt or in "
        "another unit; near zero it is news. It counts as the vendor gives it.",
        f"""select involved.batch_id, symbol,
            'mean of ' || period_end || ' ' || round(previous_mean, 4) || ' to ' || round(mean_on_one_basis, 4) || ' on ' || as_of as detail
        from quality.estimate_steps,
            unnest([case when is_pending then batch_id end, case when previous_is_pending then previous_batch_id end]) as involved (batch_id)
        where involved.batch_id is not null and currency = previous_currency and mean_on_one_basis / nullif(previous_mean, 0) > 0
            and mean_on_one_basis / previous_mean not between 1.0 / {ESTIMATES_JUMP_FACTOR} and {ESTIMATES_JUMP_FACTOR} and (select count(*) from {{batch}}) > 0
        qualify row_number() over (partition by involved.batch_id, symbol order by as_of, period_end) = 1""",
    ),
    _unit_check(
        "estimates_currency_steady",
        "warning",
        "Estimates that come in another currency than before are converted at that currency's rate: ask whether the figures have changed with the label.",
        """select batch_id, symbol, 'from ' || previous_currency || ' to ' || currency || ' on ' || as_of as detail from quality.estimate_steps
        where is_pending and currency <> previous_currency and (select count(*) from {batch}) > 0
        qualify row_number() over (partition by batch_id, symbol order by as_of, period_end) = 1""",
    ),
)
