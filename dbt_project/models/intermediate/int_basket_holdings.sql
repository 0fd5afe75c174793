-- What each basket holds after each rebalance: members of the day after, with their weights and the prices they were bought at.
with candidates as (
    select
        rebalances.basket_id,
        rebalances.rebalance_date,
        rebalances.rebalance_number,
        rebalances.next_rebalance_date,
        baskets.weighting,
        members.symbol,
        prices.close,
        prices.close / fx.units_per_usd as close_usd,
        case when not prices.is_shares_backcast then prices.market_value_usd end as market_value_usd
    from {{ ref("int_basket_rebalances") }} as rebalances
    inner join {{ ref("baskets") }} as baskets on rebalances.basket_id = baskets.basket_id
    inner join {{ ref("basket_members") }} as members
        on
            rebalances.basket_id = members.basket_id
            and coalesce(members.valid_from, '1900-01-01'::date) <= rebalances.rebalance_date + (rebalances.rebalance_number > 0)::integer
            and coalesce(members.valid_to, '9999-12-31'::date) > rebalances.rebalance_date
    asof inner join {{ ref("int_security_values") }} as prices
        on members.symbol = prices.symbol and rebalances.rebalance_date >= prices.date
    left join {{ ref("int_fx_daily") }} as fx
        on prices.currency = fx.currency and rebalances.rebalance_date = fx.date
    where prices.sessions_missed <= 5
)

select
    basket_id,
    rebalance_date,
    rebalance_number,
    next_rebalance_date,
    symbol,
    close,
    close_usd,
    case weighting
        when 'equal' then 1.0 / count(*) over (partition by basket_id, rebalance_date)
        when 'market_value' then market_value_usd / sum(market_value_usd) over (partition by basket_id, rebalance_date)
    end as weight
from candidates
