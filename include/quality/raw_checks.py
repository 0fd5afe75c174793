"""Gate 1: which units (batch and symbol) are fit to build on.

Every check is a query that returns one row for each unit that fails, with ``batch_id``, ``symbol`` and ``detail``. It reads the views that
``CANDIDATE_VIEWS`` lays over raw: what has been fetched and not judged yet, next to what is already accepted.
"""

from __future__ import annotations

import duckdb

from include.quality.suite import Check
from include.reference import Reference

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

CANDIDATE_VIEWS = """
create or replace view quality.pending_units as
select windows.*
from raw.fetch_windows as windows
where (windows.batch_id, windows.symbol) not in (select (batch_id, symbol) from raw.current_verdicts);

-- The vendor's latest word, the user's correction over it.
create or replace view quality.splits as
with vendor as (
    select symbol, date as ex_date, value as ratio
    from raw.corporate_actions
    where action = 'split'
        and (batch_id, symbol) not in (select (batch_id, symbol) from raw.current_verdicts where verdict = 'quarantined')
    qualify row_number() over (partition by symbol, date order by fetched_at desc, loaded_at desc) = 1
)
select symbol, ex_date, coalesce(corrections.ratio, vendor.ratio) as ratio
from vendor
full outer join (select symbol, date as ex_date, value as ratio from quality.corrections where field = 'split_ratio') as corrections
    using (symbol, ex_date)
where coalesce(corrections.ratio, vendor.ratio) > 0;

-- Every version of a price that is not in quarantine, with the corrections laid over it as the marts do, on one split basis.
create or replace view quality.price_versions as
with told as (
    select prices.*, verdicts.verdict in ('accepted', 'released') as is_accepted
    from raw.prices as prices
    left join raw.current_verdicts as verdicts on prices.batch_id = verdicts.batch_id and prices.symbol = verdicts.symbol
    where verdicts.verdict is distinct from 'quarantined'
),
corrected as (
    select
        told.*, coalesce(corrections.value, told.close) as close_as_counted,
        case when corrections.value is null then told.basis_date else told.date end as basis_as_counted
    from told
    left join quality.corrections as corrections
        on told.symbol = corrections.symbol and told.date = corrections.date and corrections.field = 'close'
)
select
    corrected.symbol, corrected.date, corrected.batch_id, corrected.open, corrected.high, corrected.low, corrected.close as close_as_told,
    corrected.volume, corrected.basis_date, corrected.fetched_at, corrected.loaded_at, coalesce(corrected.is_accepted, false) as is_accepted,
    corrected.close_as_counted / coalesce((
        select product(splits.ratio) from quality.splits as splits
        where splits.symbol = corrected.symbol and splits.ex_date > corrected.basis_as_counted), 1) as close
from corrected;

-- Each symbol's series as it would be if everything pending were accepted.
create or replace view quality.candidate_prices as
select *, (batch_id, symbol) in (select (batch_id, symbol) from quality.pending_units) as is_pending
from quality.price_versions
qualify row_number() over (partition by symbol, date order by fetched_at desc, loaded_at desc) = 1;

-- What a pending unit would change of what is accepted, beside the accepted closes of that day and its neighbours.
create or replace view quality.restated_prices as
with accepted as (
    select
        symbol, date, close as accepted_close,
        lag(close) over days as accepted_close_before, lead(close) over days as accepted_close_after
    from (
        select * from quality.price_versions where is_accepted
        qualify row_number() over (partition by symbol, date order by fetched_at desc, loaded_at desc) = 1)
    window days as (partition by symbol order by date)
)
select
    pending.batch_id, pending.symbol, pending.date, pending.close, accepted.accepted_close_before, accepted.accepted_close_after,
    pending.close / accepted.accepted_close as factor
from quality.candidate_prices as pending
inner join accepted on pending.symbol = accepted.symbol and pending.date = accepted.date
where pending.is_pending and abs(pending.close / accepted.accepted_close - 1) > 1e-6;

create or replace view quality.price_steps as
select
    *,
    lag(close) over history as previous_close,
    lag(date) over history as previous_date,
    lag(batch_id) over history as previous_batch_id,
    lag(is_pending) over history as previous_is_pending
from quality.candidate_prices
window history as (partition by symbol order by date);

create or replace view quality.candidate_fx as
select *, base_currency || quote_currency as symbol,
    (batch_id, base_currency || quote_currency) in (select (batch_id, symbol) from quality.pending_units) as is_pending
from raw.fx_rates
where (batch_id, base_currency || quote_currency) not in (select (batch_id, symbol) from raw.current_verdicts where verdict = 'quarantined')
qualify row_number() over (partition by base_currency, quote_currency, date order by fetched_at desc, loaded_at desc) = 1;

create or replace view quality.restated_fx as
select pending.batch_id, pending.symbol, pending.date, pending.rate,
    arg_max(told.rate, (told.fetched_at, told.loaded_at)) as accepted_rate
from quality.candidate_fx as pending
inner join raw.fx_rates as told
    on pending.base_currency = told.base_currency and pending.quote_currency = told.quote_currency and pending.date = told.date
inner join raw.current_verdicts as verdicts on told.batch_id = verdicts.batch_id and pending.symbol = verdicts.symbol
where pending.is_pending and verdicts.verdict in ('accepted', 'released')
group by all;

create or replace view quality.candidate_shares as
select *, (batch_id, symbol) in (select (batch_id, symbol) from quality.pending_units) as is_pending,
    shares_outstanding * coalesce((
        select product(splits.ratio) from quality.splits as splits
        where splits.symbol = shares.symbol and splits.ex_date > shares.basis_date), 1) as shares_on_one_basis
from raw.shares
where (batch_id, symbol) not in (select (batch_id, symbol) from raw.current_verdicts where verdict = 'quarantined')
qualify row_number() over (partition by symbol, as_of order by fetched_at desc, loaded_at desc) = 1;

-- A split that nobody told before, beside the closes of before its ex-date: as they were told without it (by a fetch of before, or one that covered that
-- day and said nothing of it), and as the unit tells them now. What it does not change is not stored again.
create or replace view quality.new_splits as
with new as (
    select actions.batch_id, actions.symbol, actions.date as ex_date, actions.value as ratio, units.start_date, units.fetched_at
    from raw.corporate_actions as actions
    inner join quality.pending_units as units on actions.batch_id = units.batch_id and actions.symbol = units.symbol
    where actions.action = 'split' and (actions.value >= 1.4 or actions.value between 0.001 and 0.7)
        and (actions.symbol, actions.date) not in (
            select (known.symbol, known.date) from raw.corporate_actions as known
            inner join raw.current_verdicts as verdicts on known.batch_id = verdicts.batch_id and known.symbol = verdicts.symbol
            where known.action = 'split' and known.value > 0 and verdicts.verdict in ('accepted', 'released'))
        and (actions.symbol, actions.date) not in (select (symbol, date) from quality.corrections where field = 'split_ratio')
)
select
    new.batch_id, new.symbol, new.ex_date, new.ratio, told.date,
    arg_max(told.close_as_told, (told.fetched_at, told.loaded_at)) as told_before,
    coalesce(any_value(own.close_as_told), told_before) as told_now
from new
inner join quality.price_versions as told
    on new.symbol = told.symbol and told.is_accepted and told.fetched_at < new.fetched_at
    and told.date < new.ex_date and told.date >= coalesce(new.start_date, told.date)
inner join raw.fetch_windows as fetches
    on told.batch_id = fetches.batch_id and told.symbol = fetches.symbol
    and (told.basis_date < new.ex_date or (new.ex_date between coalesce(fetches.start_date, new.ex_date) and fetches.end_date))
left join quality.price_versions as own on new.batch_id = own.batch_id and new.symbol = own.symbol and told.date = own.date
group by all;

create or replace view quality.estimate_steps as
with candidate as (
    select *, (batch_id, symbol) in (select (batch_id, symbol) from quality.pending_units) as is_pending,
        mean / coalesce((
            select product(splits.ratio) from quality.splits as splits
            where splits.symbol = estimates.symbol and splits.ex_date > estimates.basis_date), 1) as mean_on_one_basis
    from raw.estimates
    where (batch_id, symbol) not in (select (batch_id, symbol) from raw.current_verdicts where verdict = 'quarantined')
    qualify row_number() over (partition by symbol, as_of, metric, period_type, period_end order by fetched_at desc, loaded_at desc) = 1
)
select
    *, lag(mean_on_one_basis) over snapshots as previous_mean, lag(currency) over snapshots as previous_currency,
    lag(batch_id) over snapshots as previous_batch_id, lag(is_pending) over snapshots as previous_is_pending
from candidate
window snapshots as (partition by symbol, metric, period_type, period_end order by as_of);

-- Sessions that each pending price unit should cover: from the symbol's first price or the window's start to the window's end.
create or replace table quality.expected_sessions as
select units.batch_id, units.symbol, sessions.date, sessions.is_half_day, prices.date is not null as is_present, units.end_date, units.start_date
from quality.pending_units as units
inner join seed_securities as securities on units.symbol = securities.symbol
inner join (select symbol, min(date) as first_date from quality.candidate_prices group by symbol) as firsts on units.symbol = firsts.symbol
inner join raw.exchange_sessions as sessions
    on securities.exchange = sessions.exchange and sessions.date between firsts.first_date and units.end_date
left join quality.candidate_prices as prices on units.symbol = prices.symbol and sessions.date = prices.date
where units.dataset = 'prices';

create or replace table quality.unit_kinds as select symbol, kind, exchange, currency from seed_securities;
"""


def prepare(connection: duckdb.DuckDBPyConnection, reference: Reference) -> None:
    """Lay the views. The connection must hold ``seed_securities``, which loading registers."""
    connection.execute("create schema if not exists quality")
    connection.execute("create or replace table quality.corrections (symbol varchar, date date, field varchar, value double)")
    if reference.vendor_corrections:
        connection.executemany(
            "insert into quality.corrections values (?, ?, ?, ?)",
            [[row.symbol, row.date, row.field, row.value] for row in reference.vendor_corrections],
        )
    connection.execute(CANDIDATE_VIEWS)


def _unit_check(name: str, severity: str, why: str, query: str, table: str = "quality.pending_units") -> Check:
    # GX passes a query through str.format: {batch} is the table, and no other brace may stand in it.
    return Check(name=name, table=table, severity="critical" if severity == "critical" else "warning", why=why, query=query)


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
        "critical",
        f"An estimate of one fiscal period that is suddenly more than {ESTIMATES_JUMP_FACTOR} times as large or small is one per depositary receipt or in "
        "another unit.",
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
