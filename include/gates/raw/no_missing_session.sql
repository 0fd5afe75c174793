-- severity: warning
-- table: quality.expected_sessions
-- why: A missing session is carried from the one before and marked as not traded.

select
    batch_id,
    symbol,
    count(*) || ' sessions missing, last ' || max(date) as detail
from quality.expected_sessions
where not is_present and date >= coalesce(start_date, date)
group by batch_id, symbol
