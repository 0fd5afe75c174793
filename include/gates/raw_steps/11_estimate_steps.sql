-- Each estimate of a fiscal period beside the one before it, as they would be if everything pending were accepted.
create or replace table quality.estimate_steps as
with candidate as (
    select
        *,
        {{ is_pending() }} as is_pending,
        mean / {{ later_splits("estimates") }} as mean_on_one_basis
    from raw.estimates
    where {{ is_not_quarantined() }}
    {{ latest_version(["symbol", "as_of", "metric", "period_type", "period_end"]) }}
)

select
    symbol,
    as_of,
    period_end,
    currency,
    batch_id,
    is_pending,
    mean_on_one_basis,
    lag(mean_on_one_basis) over snapshots as previous_mean,
    lag(currency) over snapshots as previous_currency,
    lag(batch_id) over snapshots as previous_batch_id,
    lag(is_pending) over snapshots as previous_is_pending
from candidate
window snapshots as (partition by symbol, metric, period_type, period_end order by as_of)
