{% set jump_factor = 3 %}
-- severity: warning
-- table: quality.estimate_steps
-- why: An estimate of one fiscal period that is suddenly more than {{ jump_factor }} times as large or small may be one
--   per depositary receipt or in another unit; near zero it is news. It counts as the vendor gives it.

select
    involved.batch_id,
    steps.symbol,
    'mean of ' || steps.period_end || ' ' || round(steps.previous_mean, 4) || ' to '
    || round(steps.mean_on_one_basis, 4) || ' on ' || steps.as_of as detail
from quality.estimate_steps as steps, {{ involved_units("steps") }}
where
    involved.batch_id is not null
    and steps.currency = steps.previous_currency
    and steps.mean_on_one_basis / nullif(steps.previous_mean, 0) > 0
    and steps.mean_on_one_basis / steps.previous_mean not between 1.0 / {{ jump_factor }} and {{ jump_factor }}
qualify row_number() over (partition by involved.batch_id, steps.symbol order by steps.as_of, steps.period_end) = 1
