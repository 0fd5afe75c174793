select
    batch_id,
    dataset,
    symbol,
    verdict,
    reasons,
    decided_at
from {{ ref("stg_unit_verdicts") }}
where verdict in ('quarantined', 'released')
