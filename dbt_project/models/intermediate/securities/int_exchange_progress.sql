-- How far the data of each exchange reach: the last session with any price, and the last day before the next session.
-- It reads staging, so that it can be computed before any symbol.
with last_dates as (
    select
        securities.exchange,
        max(prices.date) as last_date
    from {{ ref("stg_prices") }} as prices
    inner join {{ ref("securities") }} as securities on prices.symbol = securities.symbol
    group by securities.exchange
),

final as (
    select
        last_dates.exchange,
        last_dates.last_date,
        coalesce(min(sessions.date) - 1, last_dates.last_date) as complete_until
    from last_dates
    left join {{ ref("stg_exchange_sessions") }} as sessions
        on last_dates.exchange = sessions.exchange and last_dates.last_date < sessions.date
    group by last_dates.exchange, last_dates.last_date
)

select * from final
