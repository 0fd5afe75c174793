-- severity: critical
-- table: marts.fct_press_reconciliation
-- why: Each verdict has a sentence that says how it came about.

select
    claim_id,
    evaluated_at,
    verdict
from marts.fct_press_reconciliation
where explanation is null
