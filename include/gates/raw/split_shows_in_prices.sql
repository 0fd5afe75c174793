-- severity: critical
-- table: quality.new_splits
-- why: A split that is new must change the closes before it. If it does not, it is no split, or the prices are not
--   adjusted for it yet.

select
    batch_id,
    symbol,
    'the split of ' || ex_date || ' (ratio ' || ratio || ') is new, and the closes of ' || min(date) || ' to '
    || max(date) || ' stay as they were' as detail
from quality.new_splits
group by batch_id, symbol, ex_date, ratio
having bool_and(abs(ln(close_now / close_before)) < abs(ln(ratio)) / 2)
