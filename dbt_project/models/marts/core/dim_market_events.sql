select
    event_id,
    name,
    date,
    description
from {{ ref("stg_market_events") }}
