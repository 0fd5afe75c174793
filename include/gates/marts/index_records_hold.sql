-- severity: critical
-- table: marts.fct_index_daily
-- why: No level stands above its record.

select
    symbol,
    date,
    level,
    record_high
from marts.fct_index_daily
where level > record_high or drawdown > 0
