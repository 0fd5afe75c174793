-- How far the data of each symbol reach, against its exchange.
with last_prices as (
    select
        symbol,
        max(date) filter (where is_traded) as last_date
    from {{ ref("int_security_sessions") }}
    group by symbol
)

select
    securities.symbol,
    securities.name,
    securities.exchange,
    last_prices.last_date,
    progress.last_date as exchange_last_date,
    progress.complete_until as exchange_complete_until,
    count(sessions.date)::integer as sessions_behind
from {{ ref("securities") }} as securities
inner join last_prices on securities.symbol = last_prices.symbol
inner join {{ ref("int_exchange_progress") }} as progress on securities.exchange = progress.exchange
left join {{ ref("stg_exchange_sessions") }} as sessions
    on
        securities.exchange = sessions.exchange
        and last_prices.last_date < sessions.date
        and progress.last_date >= sessions.date
group by all
