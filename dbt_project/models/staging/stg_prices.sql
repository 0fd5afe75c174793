with usable as (
    {{ usable_versions("prices", ["symbol", "date"]) }}
)

select
    symbol,
    date,
    open,
    high,
    low,
    close,
    volume,
    currency,
    fetched_at,
    landed_at,
    basis_date,
    batch_id,
    source,
    loaded_at
from usable
