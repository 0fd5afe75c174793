-- severity: warning
-- table: ops.freshness
-- why: A symbol without a close in the last closed session of its exchange shows an old one.

select
    symbol,
    last_date,
    sessions_behind
from ops.freshness
where sessions_behind > 0
