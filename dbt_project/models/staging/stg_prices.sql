with rows_of_usable_units as (
    select *
    from {{ source("raw", "prices") }}
    where {{ of_usable_unit("symbol") }}
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
    known_from,
    basis_date,
    batch_id,
    source,
    loaded_at
from rows_of_usable_units
