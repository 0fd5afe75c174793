select
    batch_id,
    dataset,
    symbol,
    verdict,
    array_to_string(reasons, '; ') as reasons,
    decided_at
from {{ source("raw", "current_verdicts") }}
