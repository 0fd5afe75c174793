-- Each pair's rates as they would be if everything pending were accepted.
create or replace table quality.candidate_fx as
select
    base_currency,
    quote_currency,
    date,
    rate,
    batch_id,
    base_currency || quote_currency as symbol,
    {{ is_pending("base_currency || quote_currency") }} as is_pending
from raw.fx_rates
where {{ is_not_quarantined("base_currency || quote_currency") }}
{{ latest_version(["base_currency", "quote_currency", "date"]) }}
