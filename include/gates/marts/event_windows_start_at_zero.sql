-- severity: critical
-- table: marts.fct_event_windows
-- why: Every window counts from the close before its event, where its return is 0, over sessions without a gap.

select
    event_id,
    subject_id,
    min(session_offset) as first_offset,
    max(session_offset) as last_offset,
    count(*) as sessions
from marts.fct_event_windows
group by event_id, subject_id
having
    count(*) filter (
        where
        session_offset = 0
        and cumulative_return = 0
        and date between event_date - {{ var("max_headline_age_days") }} and event_date
    ) <> 1
    or min(session_offset) < -{{ var("event_sessions_before") }}
    or max(session_offset) > {{ var("event_sessions_after") }}
    or count(*) <> max(session_offset) - min(session_offset) + 1
