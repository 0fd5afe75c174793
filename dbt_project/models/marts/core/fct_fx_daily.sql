select
    currency_pair,
    base_currency,
    quote_currency,
    date,
    rate,
    source
from {{ ref("int_fx_fixings") }}
