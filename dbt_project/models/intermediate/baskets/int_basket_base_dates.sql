-- Where each basket starts: the first session of any member on which all initial members are priced, not before the
-- seed's own base date. Weights by market value also need a share count and a rate of each: none is carried back for a
-- weight. From dollars_from on, all initial members have a rate; NULL where one never has.
with members as (
    select
        members.basket_id,
        members.symbol,
        securities.exchange,
        securities.currency,
        coalesce(members.valid_from, '1900-01-01'::date) as valid_from,
        coalesce(members.valid_to, '9999-12-31'::date) as valid_to,
        baskets.base_date as wanted,
        baskets.weighting
    from {{ ref("basket_members") }} as members
    inner join {{ ref("baskets") }} as baskets on members.basket_id = baskets.basket_id
    inner join {{ ref("securities") }} as securities on members.symbol = securities.symbol
),

initial_members as (
    select *
    from members
    qualify
        valid_from <= coalesce(wanted, min(valid_from) over (partition by basket_id))
        and valid_to > coalesce(wanted, min(valid_from) over (partition by basket_id))
),

first_prices as (
    select
        symbol,
        min(date) as first_date
    from {{ ref("int_security_values") }}
    group by symbol
),

first_shares as (
    select
        symbol,
        min(as_of) as first_date
    from {{ ref("int_shares_split_adjusted") }}
    group by symbol
),

earliest as (
    select
        initial_members.basket_id,
        case when count(*) = count(first_rates.first_date) then max(first_rates.first_date) end as dollars_from,
        greatest(
            max(first_prices.first_date),
            max(case when initial_members.weighting = 'market_value' then first_shares.first_date else first_prices.first_date end),
            max(case when initial_members.weighting = 'market_value' then first_rates.first_date else first_prices.first_date end),
            max(initial_members.valid_from),
            coalesce(any_value(initial_members.wanted), '1900-01-01'::date)
        ) as date
    from initial_members
    left join first_prices on initial_members.symbol = first_prices.symbol
    left join first_shares on initial_members.symbol = first_shares.symbol
    left join {{ ref("int_fx_first_rates") }} as first_rates on initial_members.currency = first_rates.currency
    group by initial_members.basket_id
    having
        count(*) = count(first_prices.first_date)
        and (
            any_value(initial_members.weighting) = 'equal'
            or (count(*) = count(first_shares.first_date) and count(*) = count(first_rates.first_date))
        )
)

select
    earliest.basket_id,
    min(sessions.date) as base_date,
    any_value(earliest.dollars_from) as dollars_from
from earliest
inner join initial_members on earliest.basket_id = initial_members.basket_id
inner join {{ ref("stg_exchange_sessions") }} as sessions
    on initial_members.exchange = sessions.exchange and earliest.date <= sessions.date
group by earliest.basket_id
