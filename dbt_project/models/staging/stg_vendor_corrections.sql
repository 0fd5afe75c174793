-- Corrections of vendor values that count: in a point-in-time build those known by then, and those of later splits,
-- which serve to undo them.
select
    symbol,
    date,
    field,
    value,
    currency,
    known_from,
    reason,
    source
from {{ ref("vendor_corrections") }}
where {{ dated_by_then("known_from") }}{% if known_at() %} or (field = 'split_ratio' and date >= {{ after_known_at() }}){% endif %}
