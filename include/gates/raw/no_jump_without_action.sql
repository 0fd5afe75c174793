{# About +57% or -36% in one session. The largest real day of the default securities since 2020 is +36%; a split of #}
{# 2 for 1 is 0.69. #}
{% set jump_log_return = 0.45 %}
-- severity: critical
-- table: quality.price_steps
-- why: A jump of this size without a corporate action is a wrong unit, a wrong symbol or a missed split.

-- Either row may be the wrong one: every pending unit that takes part in the step fails.
select
    involved.batch_id,
    steps.symbol,
    'close ' || round(steps.previous_close, 4) || ' of ' || steps.previous_date || ' to ' || round(steps.close, 4)
    || ' of ' || steps.date as detail
from quality.price_steps as steps, {{ involved_units("steps") }}
where
    involved.batch_id is not null
    and abs(ln(steps.close / steps.previous_close)) > {{ jump_log_return }}
qualify
    row_number() over (
        partition by involved.batch_id, steps.symbol
        order by abs(ln(steps.close / steps.previous_close)) desc, steps.date
    ) = 1
