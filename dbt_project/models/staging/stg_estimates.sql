with rows_of_usable_units as (
    select *
    from {{ source("raw", "estimates") }}
    where {{ of_usable_unit("symbol") }}
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
    known_from,
    basis_date,
    batch_id,
    source,
    loaded_at
from rows_of_usable_units
