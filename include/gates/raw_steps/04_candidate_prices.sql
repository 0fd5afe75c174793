-- Each symbol's series as it would be if everything pending were accepted.
create or replace table quality.candidate_prices as
select
    symbol,
    date,
    batch_id,
    open,
    high,
    low,
    vendor_close,
    close,
    volume,
    basis_date,
    {{ is_pending() }} as is_pending
from quality.price_versions
{{ latest_version(["symbol", "date"]) }}
