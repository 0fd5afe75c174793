-- severity: warning
-- table: marts.fct_security_daily
-- why: Flat rows without volume on half-days: the close may not be the close.

select
    symbol,
    count(*) as days,
    max(date) as last_day
from marts.fct_security_daily
where is_suspect and not is_corrected
group by symbol
