-- severity: critical
-- table: marts.fct_security_daily
-- why: A price is above zero.

select
    symbol,
    date,
    close
from marts.fct_security_daily
where close is null or close <= 0 or isnan(close) or isinf(close)
