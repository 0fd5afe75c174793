-- Market value and expected growth of earnings of each member of a universe on each day on which it is ranked, or why not.
-- Those of its last session stand where its exchange is closed. No share count is carried back to before its own day.
with wanted as (
    select
        days.universe_id,
        days.date,
        members.symbol,
        coalesce(securities.name, members.name, members.symbol) as security_name,
        securities.currency,
        securities.symbol is not null as is_security,
        days.date < members.chosen_at as is_hindsight
    from {{ ref("int_universe_days") }} as days
    inner join {{ ref("universe_members") }} as members
        on days.universe_id = members.universe_id and days.date >= coalesce(members.valid_from, '1900-01-01'::date)
    left join {{ ref("securities") }} as securities on members.symbol = securities.symbol
),

prices as (
    select *
    from {{ ref("int_security_values") }}
    where symbol in (select members.symbol from {{ ref("universe_members") }} as members)
),

first_prices as (
    select
        symbol,
        min(date) as first_date
    from prices
    group by symbol
),

estimates as (
    select *
    from {{ ref("int_security_multiples") }}
    where symbol in (select members.symbol from {{ ref("universe_members") }} as members)
),

held as (
    select distinct
        wanted.universe_id,
        wanted.date,
        wanted.symbol
    from wanted
    inner join {{ ref("basket_members") }} as members
        on
            wanted.symbol = members.symbol
            and wanted.date between coalesce(members.valid_from, '1900-01-01'::date) and coalesce(members.valid_to, '9999-12-31'::date)
),

reasoned as (
    select
        wanted.*,
        held.symbol is not null as is_in_basket,
        prices.market_value_usd,
        estimates.eps_fy2 / estimates.eps_fy1 - 1 as growth,
        case
            when not wanted.is_security then 'it is not in securities.csv'
            when prices.date is null then coalesce('its prices begin on ' || first_prices.first_date, 'it has no prices')
            when prices.sessions_missed > {{ var("max_sessions_missed") }} then 'it has not traded for ' || prices.sessions_missed || ' sessions'
            when prices.shares_outstanding is null then 'no share count'
            when prices.is_shares_backcast then 'its share counts begin on ' || prices.shares_as_of
            when prices.market_value_usd is null then 'no exchange rate of ' || wanted.currency
        end as value_reason,
        case
            when not wanted.is_security or estimates.date is null then 'no estimates'
            when estimates.fy1_period_end is null then 'no estimates of the last {{ var("max_estimate_age_days") }} days'
            when estimates.is_transition_year then 'its fiscal year is not twelve months long'
            when estimates.eps_fy1 is null then 'no exchange rate of its estimates'
            when estimates.eps_fy1 <= 0 then 'no profit is expected for the running fiscal year'
            when estimates.eps_fy2 is null then 'no estimate of the next fiscal year'
        end as growth_reason
    from wanted
    asof left join prices on wanted.symbol = prices.symbol and wanted.date >= prices.date
    asof left join estimates on wanted.symbol = estimates.symbol and wanted.date >= estimates.date
    left join first_prices on wanted.symbol = first_prices.symbol
    left join held on wanted.universe_id = held.universe_id and wanted.date = held.date and wanted.symbol = held.symbol
)

select
    universe_id,
    date,
    symbol,
    security_name,
    is_in_basket,
    is_hindsight,
    case when value_reason is null then market_value_usd end as market_value_usd,
    case when growth_reason is null then growth end as expected_growth,
    value_reason,
    growth_reason
from reasoned
