-- In a point-in-time build, what had been printed by then.
select
    claim_id,
    claim_date,
    subject,
    measure,
    comparison,
    claimed_value,
    tolerance,
    unit,
    statement
from {{ ref("press_claims") }}
where {{ dated_by_then("claim_date") }}
