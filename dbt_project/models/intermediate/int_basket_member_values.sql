-- Each holding on each day of its basket, its close carried where its exchange is closed; dividends count on their own day only.
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
        on
            calendar.basket_id = holdings.basket_id
            and calendar.date <= coalesce(holdings.next_rebalance_date, '9999-12-31'::date)
            and (
                calendar.date > holdings.rebalance_date
                or (calendar.date = holdings.rebalance_date and holdings.rebalance_number = 0)
            )
    where calendar.has_data
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
        -- The exchange may be closed and the dollar is not: the carried close is converted at the rate of the basket's day.
        prices.close / fx.units_per_usd as close_usd,
        case when prices.date = days.date then prices.dividend else 0 end as dividend,
        case when prices.date = days.date then prices.dividend / fx.units_per_usd else 0 end as dividend_usd,
        prices.sessions_missed <= 5 as is_priced,
        prices.shares_outstanding,
        prices.shares_as_of,
        prices.is_shares_backcast,
        prices.shares_outstanding * prices.close / fx.units_per_usd as market_value_usd
    from days
    asof inner join {{ ref("int_security_values") }} as prices
        on days.symbol = prices.symbol and days.date >= prices.date
    left join {{ ref("int_fx_daily") }} as fx
        on prices.currency = fx.currency and days.date = fx.date
)

select * from final
