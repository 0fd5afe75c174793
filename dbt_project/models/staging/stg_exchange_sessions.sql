-- A point-in-time build knows the calendar to the end of its year, as a store of that day would.
select
    exchange,
    market,
    date,
    opens_at,
    closes_at,
    is_half_day
from {{ source("raw", "exchange_sessions") }}
{% if known_at() %}where year(date) <= year({{ after_known_at() }} - interval 1 day){% endif %}
