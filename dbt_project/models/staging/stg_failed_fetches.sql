select
    batch_id,
    dataset,
    symbol,
    start_date,
    end_date,
    reason,
    run_id,
    attempt,
    asked_at,
    address
from {{ source("raw", "failed_fetches") }}
