with usable as (
    {{ usable_versions("shares", ["symbol", "as_of"]) }}
)

select
    symbol,
    as_of,
    shares_outstanding,
    share_class,
    note,
    fetched_at,
    landed_at,
    basis_date,
    batch_id,
    source,
    loaded_at
from usable
