-- Every press claim against the marts of its day, each with the basket it is about.
select
    claims.claim_id,
    claims.claim_date,
    claims.basket_id,
    claims.basket_name,
    claims.subject_name,
    claims.statement,
    claims.claimed_text,
    claims.value_date,
    claims.value_text,
    claims.verdict,
    claims.explanation,
    claims.is_simulated
from {{ ref("fct_press_reconciliation") }} as claims
where claims.evaluated_at = 'claim_date'
