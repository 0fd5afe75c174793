-- Members of each basket on the day of its factsheet, and those that left in the year.
with days as (
    select
        members.*,
        factsheet.is_simulated
    from {{ ref("fct_basket_member_daily") }} as members
    inner join {{ ref("factsheet") }} as factsheet on members.basket_id = factsheet.basket_id and members.date = factsheet.as_of
    where
        members.currency_basis = 'local'
        and members.return_type = 'price'
        and (members.weight_close is distinct from 0 or members.contribution_ytd <> 0)
),

-- An older close or estimate says nothing about the day.
first_day as (
    select min(date) - {{ var("max_headline_age_days") }} as date
    from days
),

prices as (
    select
        symbol,
        date,
        return_ytd,
        market_value_usd
    from {{ ref("fct_security_daily") }}
    where date >= (select first_day.date from first_day)
),

valuations as (
    select
        symbol,
        date,
        forward_pe,
        is_loss_maker,
        case when eps_fy1 > 0 then eps_fy2 / eps_fy1 - 1 end as expected_growth
    from {{ ref("fct_security_valuation_daily") }}
    where date >= (select first_day.date from first_day)
)

select
    days.basket_id,
    days.basket_name,
    days.symbol,
    days.security_name,
    days.date as as_of,
    securities.sector,
    securities.country,
    securities.currency,
    days.weight_close,
    prices.return_ytd,
    days.contribution_ytd,
    valuations.forward_pe,
    valuations.is_loss_maker,
    valuations.expected_growth,
    prices.market_value_usd,
    days.weight_close = 0 as has_left,
    days.is_simulated
from days
inner join {{ ref("dim_securities") }} as securities on days.symbol = securities.symbol
asof left join prices on days.symbol = prices.symbol and days.date >= prices.date
asof left join valuations on days.symbol = valuations.symbol and days.date >= valuations.date
