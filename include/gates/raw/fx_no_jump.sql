-- severity: critical
-- table: quality.candidate_fx
-- why: A move of this size in a managed or major currency is a wrong rate.

with steps as (
    select
        *,
        lag(rate) over history as previous_rate,
        lag(batch_id) over history as previous_batch_id,
        lag(is_pending) over history as previous_is_pending
    from quality.candidate_fx
    window history as (partition by symbol order by date)
)

select
    involved.batch_id,
    steps.symbol,
    'rate ' || steps.previous_rate || ' to ' || steps.rate || ' on ' || steps.date as detail
from steps, {{ involved_units("steps") }}
where involved.batch_id is not null and abs(ln(steps.rate / steps.previous_rate)) > {{ fx_jump_log_return() }}
qualify row_number() over (partition by involved.batch_id, steps.symbol order by steps.date) = 1
