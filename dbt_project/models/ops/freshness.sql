-- How far the data of each symbol reach, against the sessions that had closed when the vendor was last asked for anything.
with last_prices as (
    select
        symbol,
        max(date) filter (where is_traded) as last_date
    from {{ ref("int_security_sessions") }}
    group by symbol
),

closed_sessions as (
    select
        exchange,
        date
    from {{ ref("stg_exchange_sessions") }}
    where
        closes_at <= (select max(windows.fetched_at) from {{ ref("stg_fetch_windows") }} as windows)
        {% if known_at() %}and closes_at < {{ after_known_at() }}{% endif %}
)

select
    securities.symbol,
    securities.name,
    securities.exchange,
    last_prices.last_date,
    progress.last_date as exchange_last_date,
    progress.complete_until as exchange_complete_until,
    count(closed_sessions.date)::integer as sessions_behind
from {{ ref("securities") }} as securities
inner join last_prices on securities.symbol = last_prices.symbol
inner join {{ ref("int_exchange_progress") }} as progress on securities.exchange = progress.exchange
left join closed_sessions
    on
        securities.exchange = closed_sessions.exchange
        and last_prices.last_date < closed_sessions.date
group by all
