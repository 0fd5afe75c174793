-- What each basket holds after each rebalance: those who are members on the next session, with their weights and the
-- prices they were bought at. A member without a recent price or, for weights by market value, without a share count of
-- its own time or a rate waits for the next rebalance; so does a member without a rate yet where the basket has dollars.
-- Where those of the basket begin later, the first one stands in for the dollars that were paid: levels in dollars begin
-- with the rates, and at the local weights of that day.
with members as (
    select
        rebalances.basket_id,
        rebalances.rebalance_date,
        rebalances.dollars_from,
        members.symbol
    from {{ ref("int_basket_rebalances") }} as rebalances
    inner join {{ ref("int_basket_progress") }} as progress
        on rebalances.basket_id = progress.basket_id and rebalances.rebalance_date <= progress.complete_until
    left join {{ ref("basket_members") }} as members
        on
            rebalances.basket_id = members.basket_id
            and rebalances.next_session
            between coalesce(members.valid_from, '1900-01-01'::date) and coalesce(members.valid_to, '9999-12-31'::date)
),

candidates as (
    select
        members.basket_id,
        members.rebalance_date,
        members.symbol,
        baskets.weighting,
        prices.close,
        prices.close
        / coalesce(
            fx.units_per_usd,
            case when members.rebalance_date < first_rates.first_date then first_rates.units_per_usd end
        ) as close_usd,
        shares.shares_outstanding * prices.close / fx.units_per_usd as market_value_usd
    from members
    inner join {{ ref("baskets") }} as baskets on members.basket_id = baskets.basket_id
    asof inner join {{ ref("int_security_values") }} as prices
        on members.symbol = prices.symbol and members.rebalance_date >= prices.date
    left join {{ ref("int_fx_daily") }} as fx
        on prices.currency = fx.currency and members.rebalance_date = fx.date
    left join {{ ref("int_fx_first_rates") }} as first_rates
        on prices.currency = first_rates.currency
    asof left join {{ ref("int_shares_split_adjusted") }} as shares
        on members.symbol = shares.symbol and members.rebalance_date >= shares.as_of
    where
        prices.sessions_missed <= {{ var("max_sessions_missed") }}
        and (baskets.weighting = 'equal' or (shares.as_of is not null and fx.units_per_usd is not null))
        and (
            coalesce(members.rebalance_date >= first_rates.first_date, false)
            or coalesce(members.rebalance_date < members.dollars_from, true)
        )
),

-- If no member can be bought, the basket keeps what it holds. A basket without members holds nothing.
rebalances as (
    select
        members.basket_id,
        members.rebalance_date,
        row_number() over (partition by members.basket_id order by members.rebalance_date) - 1 as rebalance_number,
        lead(members.rebalance_date) over (partition by members.basket_id order by members.rebalance_date) as next_rebalance_date
    from members
    left join candidates
        on
            members.basket_id = candidates.basket_id
            and members.rebalance_date = candidates.rebalance_date
            and members.symbol = candidates.symbol
    group by members.basket_id, members.rebalance_date
    having count(candidates.symbol) > 0 or count(members.symbol) = 0
)

select
    rebalances.basket_id,
    rebalances.rebalance_date,
    rebalances.rebalance_number,
    rebalances.next_rebalance_date,
    candidates.symbol,
    candidates.close,
    candidates.close_usd,
    case candidates.weighting
        when 'equal' then 1.0 / count(*) over (partition by rebalances.basket_id, rebalances.rebalance_date)
        when 'market_value'
            then candidates.market_value_usd / sum(candidates.market_value_usd) over (
                partition by rebalances.basket_id, rebalances.rebalance_date
                order by candidates.symbol
                rows between unbounded preceding and unbounded following
            )
    end as weight
from rebalances
inner join candidates on rebalances.basket_id = candidates.basket_id and rebalances.rebalance_date = candidates.rebalance_date
