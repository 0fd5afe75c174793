-- A row for each session of the security's exchange from its first price on; on days without a close of its own the
-- last one is carried.
with first_prices as (
    select
        symbol,
        min(date) as first_date
    from {{ ref("int_prices_split_adjusted") }}
    group by symbol
),

-- Of an exchange, not of a symbol: the difference of two sessions is the same, and they are few.
numbered as (
    select
        *,
        row_number() over (partition by exchange order by date) as session_number
    from {{ ref("stg_exchange_sessions") }}
),

sessions as (
    select
        securities.symbol,
        securities.kind,
        securities.currency,
        securities.exchange,
        sessions.date,
        sessions.is_half_day,
        sessions.session_number
    from first_prices
    inner join {{ ref("securities") }} as securities on first_prices.symbol = securities.symbol
    inner join {{ ref("int_exchange_progress") }} as progress on securities.exchange = progress.exchange
    inner join numbered as sessions
        on
            securities.exchange = sessions.exchange
            and sessions.date between first_prices.first_date and progress.last_date
),

final as (
    select
        sessions.symbol,
        sessions.kind,
        sessions.currency,
        sessions.exchange,
        sessions.date,
        prices.close is not null as is_traded,
        prices.open,
        prices.high,
        prices.low,
        prices.volume,
        coalesce(prices.is_corrected, false) as is_corrected,
        coalesce(
            sessions.kind = 'equity'
            and sessions.is_half_day
            and prices.volume = 0
            and prices.open = prices.high
            and prices.high = prices.low
            and prices.low = prices.close_vendor,
            false
        ) as is_suspect,
        last_value(prices.close ignore nulls) over carried as close,
        last_value(prices.close_vendor ignore nulls) over carried as close_vendor,
        last_value(prices.source ignore nulls) over carried as source,
        sessions.session_number - max(case when prices.close is not null then sessions.session_number end) over carried as sessions_missed
    from sessions
    left join {{ ref("int_prices_split_adjusted") }} as prices
        on sessions.symbol = prices.symbol and sessions.date = prices.date
    window carried as (
        partition by sessions.symbol
        order by sessions.date
        rows between unbounded preceding and current row
    )
)

select * from final
