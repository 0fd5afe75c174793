select
    event_id,
    name,
    date,
    description
from {{ ref("market_events") }}
where {{ dated_by_then("date") }}
