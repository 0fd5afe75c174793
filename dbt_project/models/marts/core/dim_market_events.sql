-- A seed of an earlier version has no source.
with events as (
    select
        event_id,
        name,
        date,
        description,
        {{ optional_columns(ref("market_events"), ["source"]) }}
    from {{ ref("market_events") }}
)

select
    event_id,
    name as event_name,
    date as event_date,
    description,
    source as event_source
from events
where {{ dated_by_then("date") }}
