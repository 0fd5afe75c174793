-- severity: critical
-- table: quality.expected_sessions
-- why: Without its last session a symbol would silently show an old close.

select
    batch_id,
    symbol,
    'no price for the last session, ' || max(date) as detail
from quality.expected_sessions
group by batch_id, symbol
having not arg_max(is_present, date)
