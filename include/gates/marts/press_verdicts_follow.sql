-- severity: critical
-- table: marts.fct_press_reconciliation
-- why: A verdict follows from value, claim and tolerance; what cannot be computed has a reason.

with judged as (
    select
        *,
        2e-9 * greatest(1, abs(claimed_value), abs(value)) as slack,
        case
            when comparison in ('more_than', 'at_least') then tolerance + difference
            when comparison in ('less_than', 'at_most') then tolerance - difference
            else tolerance - abs(difference)
        end as room
    from marts.fct_press_reconciliation
)

select
    claim_id,
    evaluated_at,
    verdict,
    value,
    difference,
    tolerance
from judged
where
    (verdict = 'agrees' and coalesce(room < -slack, true))
    or (verdict = 'differs' and room > slack)
    or (verdict = 'not_computable' and value is not null)
    or (value is null and reason is null)
