-- severity: warning
-- table: marts.fct_security_daily
-- why: The rates of a currency begin later than its prices, or there are none. Closes, market values and basket levels
--   in dollars are NULL before the first rate, and a dividend in that currency that has to be converted is in no total
--   return. Deliver the rates to fill them.

with dividends as (
    select
        actions.symbol,
        actions.date,
        actions.currency,
        securities.currency as price_currency
    from marts.fct_corporate_actions as actions
    inner join marts.dim_securities as securities on actions.symbol = securities.symbol
    where actions.action = 'dividend' and actions.value_in_price_currency is null
),

missing as (
    select
        currency,
        symbol,
        date
    from marts.fct_security_daily
    where close_usd is null
    union
    select
        currency,
        symbol,
        date
    from dividends
    union
    select
        price_currency as currency,
        symbol,
        date
    from dividends
)

select
    missing.currency,
    rates.first_date as rates_begin,
    min(missing.date) as data_begin,
    count(distinct missing.symbol) as symbols
from missing
left join intermediate.int_fx_first_rates as rates on missing.currency = rates.currency
where rates.first_date is null or rates.first_date > missing.date
group by missing.currency, rates.first_date
order by missing.currency
