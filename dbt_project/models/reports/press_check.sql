-- Every press claim against the marts of its day, each with the basket it is about.
select
    claims.claim_id,
    claims.claim_date,
    baskets.basket_id,
    baskets.basket_name,
    claims.subject_name,
    claims.statement,
    claims.claimed_text,
    claims.value_date,
    claims.value_text,
    claims.verdict,
    claims.explanation,
    claims.is_simulated
from {{ ref("fct_press_reconciliation") }} as claims
left join {{ ref("dim_baskets") }} as baskets on split_part(claims.subject, ' vs ', 1) = baskets.basket_id
where claims.evaluated_at = 'claim_date'
