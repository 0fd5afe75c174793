-- Where the rates of each currency begin, and with which rate.
select
    currency,
    min(date) as first_date,
    arg_min(units_per_usd, date) as units_per_usd
from {{ ref("int_fx_daily") }}
where units_per_usd is not null
group by currency
