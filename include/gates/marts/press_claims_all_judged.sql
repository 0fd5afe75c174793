-- severity: critical
-- table: staging.stg_press_claims
-- why: Every claim is compared with two sessions; one that is missing would be dropped silently.

select claim_id
from staging.stg_press_claims as claims
where (
    select count(*)
    from marts.fct_press_reconciliation as judged
    where judged.claim_id = claims.claim_id
) <> 2
