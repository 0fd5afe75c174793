-- severity: critical
-- table: marts.fct_security_daily
-- why: A return is above -100%, and no default security has moved tenfold in a day.

select
    symbol,
    date,
    return_1d
from marts.fct_security_daily
where return_1d <= -1 or return_1d > 9 or isnan(return_1d)
