-- severity: critical
-- table: marts.fct_security_daily
-- why: No fixing within {{ var("max_fx_age_days") }} days: every figure in dollars of that day would be wrong or
--   missing.

select
    symbol,
    date,
    close
from marts.fct_security_daily
where close_usd is null
