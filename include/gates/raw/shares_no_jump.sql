{% set jump_log_ratio = 0.4 %}
-- severity: critical
-- table: quality.candidate_shares
-- why: A share count that moves this much without a split is another share class or another unit.

with steps as (
    select
        *,
        lag(shares_on_one_basis) over history as previous_shares,
        lag(batch_id) over history as previous_batch_id,
        lag(is_pending) over history as previous_is_pending
    from quality.candidate_shares
    window history as (partition by symbol order by as_of)
)

select
    involved.batch_id,
    steps.symbol,
    'shares ' || steps.previous_shares || ' to ' || steps.shares_on_one_basis || ' on ' || steps.as_of as detail
from steps, {{ involved_units("steps") }}
where
    involved.batch_id is not null
    and abs(ln(steps.shares_on_one_basis / steps.previous_shares)) > {{ jump_log_ratio }}
qualify row_number() over (partition by involved.batch_id, steps.symbol order by steps.as_of) = 1
