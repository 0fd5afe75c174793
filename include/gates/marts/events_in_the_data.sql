-- severity: warning
-- table: marts.dim_market_events
-- why: No subject has a session within {{ var("max_headline_age_days") }} days before this event that the data reach,
--   so it has no window: correct its date, or wait for the data.

select
    event_id,
    event_name,
    event_date
from marts.dim_market_events
where event_id not in (select windows.event_id from marts.fct_event_windows as windows)
