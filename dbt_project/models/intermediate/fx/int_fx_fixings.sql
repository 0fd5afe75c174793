-- Reference rates as fixed: the latest version of each.
select
    currency_pair,
    base_currency,
    quote_currency,
    date,
    rate,
    source
from {{ ref("stg_fx_rates") }}
{{ latest_version(["currency_pair", "date"]) }}
