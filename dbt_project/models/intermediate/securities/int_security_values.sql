-- Each session of each equity with its close in both currencies, its dividends, its total return index and its market
-- value. Of a security without a year of prices the dividends of a year are not known.
with sessions as (
    select *
    from {{ ref("int_security_sessions") }}
    where kind = 'equity'
),

-- In a point-in-time build none is carried back: it was not known yet.
first_shares as (
    select
        symbol,
        arg_min(shares_outstanding, as_of) as shares_outstanding,
        min(as_of) as as_of
    from {{ ref("int_shares_split_adjusted") }}
    {% if known_at() %}where false{% endif %}
    group by symbol
),

-- A dividend whose ex-date is no session of the exchange counts on the next one.
dividends as (
    select
        dividends.symbol,
        sessions.date,
        dividends.value_in_price_currency as dividend
    from {{ ref("int_dividends") }} as dividends
    asof inner join sessions
        on dividends.symbol = sessions.symbol and dividends.date <= sessions.date
),

dividends_by_session as (
    select
        symbol,
        date,
        sum(dividend) as dividend
    from dividends
    group by symbol, date
),

joined as (
    select
        sessions.*,
        fx.units_per_usd,
        sessions.close / fx.units_per_usd as close_usd,
        coalesce(dividends_by_session.dividend, 0) as dividend,
        case when paid.date is null then 0 else paid.amount end as dividends_ttm,
        coalesce(paid.special_amount, 0) as special_dividends_ttm,
        coalesce(paid.payments, 0) as dividend_payments_ttm,
        lag(sessions.close) over (partition by sessions.symbol order by sessions.date) as previous_close,
        coalesce(shares.shares_outstanding, first_shares.shares_outstanding) as shares_outstanding,
        coalesce(shares.as_of, first_shares.as_of) as shares_as_of,
        shares.as_of is null and first_shares.as_of is not null as is_shares_backcast
    from sessions
    left join {{ ref("int_fx_daily") }} as fx
        on sessions.currency = fx.currency and sessions.date = fx.date
    left join dividends_by_session
        on sessions.symbol = dividends_by_session.symbol and sessions.date = dividends_by_session.date
    asof left join {{ ref("int_dividend_years") }} as paid
        on sessions.symbol = paid.symbol and sessions.date >= paid.date
    asof left join {{ ref("int_shares_split_adjusted") }} as shares
        on sessions.symbol = shares.symbol and sessions.date >= shares.as_of
    left join first_shares on sessions.symbol = first_shares.symbol
),

final as (
    select
        symbol,
        date,
        exchange,
        currency,
        open,
        high,
        low,
        close,
        close_vendor,
        close_usd,
        units_per_usd,
        volume,
        is_traded,
        is_corrected,
        is_suspect,
        source,
        sessions_missed,
        dividend,
        100 * product(coalesce((close + dividend) / previous_close, 1)) over so_far as total_return_index,
        total_return_index / units_per_usd as total_return_index_usd,
        close / max(close) over so_far - 1 as drawdown,
        date >= min(date) over so_far + 365 as has_dividend_year,
        case when has_dividend_year then dividends_ttm / close end as dividend_yield_ttm,
        case when has_dividend_year then dividend_payments_ttm end as dividend_payments_ttm,
        case when has_dividend_year then special_dividends_ttm / close end as special_dividend_yield_ttm,
        shares_outstanding,
        shares_as_of,
        is_shares_backcast,
        close_usd * shares_outstanding as market_value_usd
    from joined
    window so_far as (
        partition by symbol
        order by date
        rows between unbounded preceding and current row
    )
)

select * exclude (has_dividend_year) from final
