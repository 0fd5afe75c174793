-- In a point-in-time build, what had happened by then.
select
    event_id,
    name,
    date,
    description
from {{ ref("market_events") }}
where {{ dated_by_then("date") }}
