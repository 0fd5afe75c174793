-- Each holding on each day of its basket, its close carried where its exchange is closed; dividends count on their own
-- day only.
with days as (
    select
        calendar.basket_id,
        calendar.date,
        holdings.symbol,
        holdings.rebalance_number,
        holdings.weight,
        holdings.close as close_bought,
        holdings.close_usd as close_usd_bought
    from {{ ref("int_basket_calendar") }} as calendar
    inner join {{ ref("int_basket_holdings") }} as holdings
        on calendar.basket_id = holdings.basket_id and calendar.rebalance_number = holdings.rebalance_number
),

final as (
    select
        days.basket_id,
        days.date,
        days.symbol,
        days.rebalance_number,
        days.weight,
        days.close_bought,
        days.close_usd_bought,
        prices.close,
        -- The exchange may be closed and the dollar is not: the carried close is converted at the rate of the basket's
        -- day.
        prices.close / fx.units_per_usd as close_usd,
        case when prices.date = days.date then prices.dividend else 0 end as dividend,
        case when prices.date = days.date then prices.dividend / fx.units_per_usd else 0 end as dividend_usd,
        prices.dividend_yield_ttm,
        prices.sessions_missed <= {{ var("max_sessions_missed") }} as is_priced,
        -- Without a count of the day or before, that of the session is the first one carried back.
        coalesce(shares.shares_outstanding, prices.shares_outstanding) as shares_outstanding,
        coalesce(shares.as_of, prices.shares_as_of) as shares_as_of,
        shares.as_of is null and prices.shares_as_of is not null as is_shares_backcast,
        coalesce(shares.shares_outstanding, prices.shares_outstanding) * prices.close / fx.units_per_usd as market_value_usd
    from days
    asof inner join {{ ref("int_security_values") }} as prices
        on days.symbol = prices.symbol and days.date >= prices.date
    left join {{ ref("int_fx_daily") }} as fx
        on prices.currency = fx.currency and days.date = fx.date
    asof left join {{ ref("int_shares_split_adjusted") }} as shares
        on days.symbol = shares.symbol and days.date >= shares.as_of
)

select * from final
