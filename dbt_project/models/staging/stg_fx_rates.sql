with usable as (
    {{ usable_versions("fx_rates", ["base_currency", "quote_currency", "date"], symbol="base_currency || quote_currency") }}
)

select
    base_currency,
    quote_currency,
    base_currency || quote_currency as currency_pair,
    date,
    rate,
    fetched_at,
    landed_at,
    basis_date,
    batch_id,
    source,
    loaded_at
from usable
