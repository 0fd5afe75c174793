-- severity: critical
-- table: marts.fct_event_windows
-- why: An excess is over something, and 0 on the day that both count from.

select
    event_id,
    subject_id,
    session_offset,
    excess_return
from marts.fct_event_windows
where
    (excess_return is not null and measured_against is null)
    or (session_offset = 0 and excess_return <> 0)
