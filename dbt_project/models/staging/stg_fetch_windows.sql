select
    batch_id,
    dataset,
    market,
    symbol,
    start_date,
    end_date,
    row_count,
    rejected_count,
    fetched_at,
    landed_at,
    run_id,
    attempt,
    asked_at,
    address,
    content_hash
from {{ source("raw", "fetch_windows") }}
