with latest as (
    select *
    from {{ ref("stg_fx_rates") }}
    {{ latest_version(["base_currency", "quote_currency", "date"]) }}
)

select
    currency_pair,
    base_currency,
    quote_currency,
    date,
    rate,
    source
from latest
