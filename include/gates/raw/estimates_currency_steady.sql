-- severity: warning
-- table: quality.estimate_steps
-- why: Estimates that come in another currency than before are converted at that currency's rate: ask whether the
--   figures have changed with the label.

select
    batch_id,
    symbol,
    'from ' || previous_currency || ' to ' || currency || ' on ' || as_of as detail
from quality.estimate_steps
where is_pending and currency <> previous_currency
qualify row_number() over (partition by batch_id, symbol order by as_of, period_end) = 1
