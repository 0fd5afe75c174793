-- The days of each basket that have data: every session of an exchange of which it holds something, and the days on
-- which it is rebalanced. The day of a rebalance belongs to the holdings before it, the base date to the first.
with spans as (
    select distinct
        holdings.basket_id,
        holdings.rebalance_number,
        holdings.rebalance_date + (holdings.rebalance_number > 0)::integer as first_date,
        holdings.next_rebalance_date,
        progress.complete_until,
        securities.exchange
    from {{ ref("int_basket_holdings") }} as holdings
    inner join {{ ref("securities") }} as securities on holdings.symbol = securities.symbol
    inner join {{ ref("int_basket_progress") }} as progress on holdings.basket_id = progress.basket_id
)

select
    spans.basket_id,
    spans.rebalance_number,
    sessions.date
from spans
inner join {{ ref("stg_exchange_sessions") }} as sessions
    on
        spans.exchange = sessions.exchange
        and sessions.date between spans.first_date and coalesce(spans.next_rebalance_date, spans.complete_until)
union
select
    basket_id,
    rebalance_number,
    next_rebalance_date as date
from spans
where next_rebalance_date is not null
union
select
    basket_id,
    rebalance_number,
    first_date as date
from spans
where rebalance_number = 0
