{% set jump = 0.05 %}
-- severity: critical
-- table: quality.candidate_risk_free
-- why: A rate that moves by more than {{ jump }} from one day to the next is in another unit or of another currency.

with steps as (
    select
        *,
        lag(rate) over history as previous_rate,
        lag(batch_id) over history as previous_batch_id,
        lag(is_pending) over history as previous_is_pending
    from quality.candidate_risk_free
    window history as (partition by symbol, tenor order by date)
)

select
    involved.batch_id,
    steps.symbol,
    'rate ' || steps.previous_rate || ' to ' || steps.rate || ' on ' || steps.date as detail
from steps, {{ involved_units("steps") }}
where involved.batch_id is not null and abs(steps.rate - steps.previous_rate) > {{ jump }}
qualify row_number() over (partition by involved.batch_id, steps.symbol order by steps.date) = 1
