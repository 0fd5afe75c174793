select
    batch_id,
    dataset,
    market,
    symbol,
    start_date,
    end_date,
    row_count,
    rejected_count,
    fetched_at
from {{ source("raw", "fetch_windows") }}
