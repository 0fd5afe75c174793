-- Each currency's risk-free rates as they would be if everything pending were accepted.
create or replace table quality.candidate_risk_free as
select
    currency as symbol,
    tenor,
    date,
    rate,
    quote_basis,
    batch_id,
    {{ is_pending("currency") }} as is_pending
from raw.risk_free
where {{ is_not_quarantined("currency") }}
{{ latest_version(["currency", "tenor", "date"]) }}
