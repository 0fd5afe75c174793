-- severity: critical
-- table: quality.restated_fx
-- why: A restated rate that is far from what it was is another pair's, or the same pair's upside down.

select
    batch_id,
    symbol,
    count(*) || ' rates restated, such as ' || arg_max(accepted_rate, date) || ' to ' || arg_max(rate, date) || ' on '
    || max(date) as detail
from quality.restated_fx
where abs(ln(rate / accepted_rate)) > {{ fx_jump_log_return() }}
group by batch_id, symbol
