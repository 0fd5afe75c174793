-- In a point-in-time build, what had been printed by then. A seed of an earlier version has no source.
with claims as (
    select
        claim_id,
        claim_date,
        subject,
        measure,
        comparison,
        claimed_value,
        tolerance,
        unit,
        statement,
        {{ optional_columns(ref("press_claims"), ["source"]) }}
    from {{ ref("press_claims") }}
)

select
    * exclude (source),
    source as claim_source
from claims
where {{ dated_by_then("claim_date") }}
