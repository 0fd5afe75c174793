-- The days on which each universe is ranked: its last one in each quarter, so in the running quarter its last day so far.
-- Its days are the sessions of its members' exchanges, from the first price on, as far as the slowest one's data reach.
with first_prices as (
    select
        symbol,
        min(date) as first_date
    from {{ ref("int_security_values") }}
    group by symbol
),

exchanges as (
    select
        members.universe_id,
        securities.exchange,
        min(first_prices.first_date) as first_date,
        any_value(progress.complete_until) as complete_until
    from {{ ref("universe_members") }} as members
    inner join {{ ref("securities") }} as securities on members.symbol = securities.symbol
    inner join {{ ref("int_exchange_progress") }} as progress on securities.exchange = progress.exchange
    inner join first_prices on members.symbol = first_prices.symbol
    group by members.universe_id, securities.exchange
),

spans as (
    select
        universe_id,
        exchange,
        min(first_date) over (partition by universe_id) as first_date,
        min(complete_until) over (partition by universe_id) as complete_until
    from exchanges
)

select
    spans.universe_id,
    max(sessions.date) as date
from spans
inner join {{ ref("stg_exchange_sessions") }} as sessions
    on spans.exchange = sessions.exchange and sessions.date between spans.first_date and spans.complete_until
group by spans.universe_id, date_trunc('quarter', sessions.date)
