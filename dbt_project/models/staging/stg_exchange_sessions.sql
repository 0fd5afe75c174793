select
    exchange,
    market,
    date,
    opens_at,
    closes_at,
    is_half_day
from {{ source("raw", "exchange_sessions") }}
