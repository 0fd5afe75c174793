-- severity: warning
-- table: marts.fct_security_valuation_daily
-- why: An estimate in a currency without a rate of the day is not used: name that currency as the reporting_currency in
--   securities.csv, and its rate is fetched.

with last_day as (
    select *
    from marts.fct_security_valuation_daily
    qualify date = max(date) over (partition by symbol)
)

select
    symbol,
    date,
    estimate_as_of,
    fy1_period_end
from last_day
where fy1_period_end is not null and eps_fy1 is null
