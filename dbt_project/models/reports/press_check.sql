-- Every press claim against the marts of its day, each with the basket it is about.
select
    claim_id,
    claim_date,
    basket_id,
    basket_name,
    subject_name,
    statement,
    claimed_text,
    value_date,
    value_text,
    verdict,
    explanation,
    is_simulated
from {{ ref("fct_press_reconciliation") }}
where evaluated_at = 'claim_date'
