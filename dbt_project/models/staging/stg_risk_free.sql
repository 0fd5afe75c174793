with usable as (
    {{ usable_versions("risk_free", ["currency", "tenor", "date"], symbol="currency") }}
)

select
    currency,
    tenor,
    date,
    rate,
    quote_basis,
    note,
    fetched_at,
    landed_at,
    basis_date,
    batch_id,
    source,
    loaded_at
from usable
