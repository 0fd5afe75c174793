with rows_of_usable_units as (
    select *
    from {{ source("raw", "shares") }}
    where {{ of_usable_unit("symbol") }}
)

select
    symbol,
    as_of,
    shares_outstanding,
    share_class,
    note,
    fetched_at,
    known_from,
    basis_date,
    batch_id,
    source,
    loaded_at
from rows_of_usable_units
