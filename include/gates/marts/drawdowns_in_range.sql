-- severity: critical
-- table: marts.fct_security_daily
-- why: A drawdown lies between -100% and 0.

select
    symbol,
    date,
    drawdown
from marts.fct_security_daily
where drawdown is null or drawdown > 0 or drawdown <= -1
