"""What gate 1 reads: views over raw of what has been fetched and not judged yet, next to what is already accepted."""

from __future__ import annotations

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
