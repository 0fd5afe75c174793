-- severity: critical
-- table: marts.fct_security_daily
-- why: No fixing within {{ var("max_fx_age_days") }} days: every figure in dollars of that day would be wrong or
--   missing.

-- Days before the first rate of all, or of a currency without any: see dollars_begin_later.
select
    closes.symbol,
    closes.date,
    closes.close
from marts.fct_security_daily as closes
inner join intermediate.int_fx_first_rates as rates on closes.currency = rates.currency
where closes.close_usd is null and closes.date >= rates.first_date
