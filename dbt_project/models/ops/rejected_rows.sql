select
    dataset,
    symbol,
    date,
    reasons,
    row_values,
    batch_id,
    fetched_at,
    loaded_at
from {{ ref("stg_rejected_rows") }}
