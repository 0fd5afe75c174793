-- What a pending unit would change of what is accepted, beside the accepted closes of that day and its neighbours.
create or replace table quality.restated_prices as
with latest as (
    select *
    from quality.price_versions
    where is_accepted
    {{ latest_version(["symbol", "date"]) }}
),

accepted as (
    select
        symbol,
        date,
        close as accepted_close,
        lag(close) over days as accepted_close_before,
        lead(close) over days as accepted_close_after
    from latest
    window days as (partition by symbol order by date)
)

select
    pending.batch_id,
    pending.symbol,
    pending.date,
    pending.close,
    accepted.accepted_close_before,
    accepted.accepted_close_after,
    pending.close / accepted.accepted_close as factor
from quality.candidate_prices as pending
inner join accepted on pending.symbol = accepted.symbol and pending.date = accepted.date
where pending.is_pending and abs(pending.close / accepted.accepted_close - 1) > 1e-6
