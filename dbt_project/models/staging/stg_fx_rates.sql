with rows_of_usable_units as (
    select *
    from {{ source("raw", "fx_rates") }}
    where {{ of_usable_unit("base_currency || quote_currency") }}
)

select
    base_currency,
    quote_currency,
    base_currency || quote_currency as currency_pair,
    date,
    rate,
    fetched_at,
    known_from,
    basis_date,
    batch_id,
    source,
    loaded_at
from rows_of_usable_units
