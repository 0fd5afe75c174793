-- severity: critical
-- table: marts.fct_security_daily
-- why: (1 + return in dollars) is (1 + local return) times the currency's: otherwise a rate was mixed up.

with steps as (
    select
        *,
        close_usd / close as rate,
        lag(close_usd) over history / lag(close) over history as rate_before
    from marts.fct_security_daily
    window history as (partition by symbol order by date)
)

select
    symbol,
    date,
    return_usd_1d
from steps
-- Both returns are rounded to nine decimals.
where abs((1 + return_usd_1d) - (1 + return_1d) * rate / rate_before) > 2e-9
