-- What each rebalance moved: half the sum of the changes in weight, of who comes and who leaves too. A purchase by a
-- basket that held nothing moved nothing.
with rebalances as (
    select distinct
        basket_id,
        rebalance_date,
        rebalance_number
    from {{ ref("int_basket_holdings") }}
),

before_and_after as (
    select
        basket_id,
        rebalance_date,
        rebalance_number,
        symbol,
        weight as weight_after,
        0 as weight_before
    from {{ ref("int_basket_holdings") }}
    union all
    select
        rebalances.basket_id,
        rebalances.rebalance_date,
        rebalances.rebalance_number,
        held.symbol,
        0 as weight_after,
        coalesce(held.weight_close_usd, held.weight_close) as weight_before
    from rebalances
    inner join {{ ref("int_basket_member_steps") }} as held
        on rebalances.basket_id = held.basket_id and rebalances.rebalance_date = held.date
    where rebalances.rebalance_number > 0
),

changes as (
    select
        basket_id,
        rebalance_date,
        rebalance_number,
        symbol,
        sum(weight_before) as weight_before,
        abs(sum(weight_after) - sum(weight_before)) as change
    from before_and_after
    group by basket_id, rebalance_date, rebalance_number, symbol
)

select
    basket_id,
    rebalance_date,
    case when sum(weight_before) > 0 then sum(change) / 2 end as turnover
from changes
group by basket_id, rebalance_date, rebalance_number
