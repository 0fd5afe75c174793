with usable as (
    {{ usable_versions("estimates", ["symbol", "as_of", "metric", "period_type", "period_end"]) }}
)

select
    symbol,
    as_of,
    metric,
    period_type,
    period_end,
    period_label,
    mean,
    low,
    high,
    analyst_count,
    currency,
    note,
    fetched_at,
    landed_at,
    basis_date,
    batch_id,
    source,
    loaded_at
from usable
