-- How far the data of each basket reach: as far as those of the slowest exchange of what it holds, or to the day on
-- which the last member was sold.
with spans as (
    select
        members.basket_id,
        securities.exchange,
        min(rebalances.rebalance_date) filter (where rebalances.next_session >= coalesce(members.valid_from, '1900-01-01'::date)) as bought_on,
        min(rebalances.rebalance_date) filter (where rebalances.next_session > members.valid_to) as sold_on
    from {{ ref("basket_members") }} as members
    inner join {{ ref("securities") }} as securities on members.symbol = securities.symbol
    inner join {{ ref("int_basket_rebalances") }} as rebalances on members.basket_id = rebalances.basket_id
    group by members.basket_id, members.symbol, members.valid_from, securities.exchange
),

-- A member that is bought after the last data of its exchange does not hold back the days before.
reaches as (
    select
        spans.basket_id,
        spans.sold_on,
        case
            when spans.sold_on is null or spans.sold_on > progress.complete_until then greatest(progress.complete_until, spans.bought_on - 1)
        end as complete_until
    from spans
    inner join {{ ref("int_exchange_progress") }} as progress on spans.exchange = progress.exchange
    where spans.bought_on < coalesce(spans.sold_on, '9999-12-31'::date)
)

select
    basket_id,
    coalesce(min(complete_until), max(sold_on)) as complete_until
from reaches
group by basket_id
