select
    dataset,
    symbol,
    date,
    array_to_string(reasons, '; ') as reasons,
    row_values,
    batch_id,
    fetched_at,
    loaded_at
from {{ source("raw", "rejected_rows") }}
