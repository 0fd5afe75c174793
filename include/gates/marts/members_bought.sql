-- severity: warning
-- table: intermediate.int_basket_holdings
-- why: A member that could not be bought at its basket's last rebalance waits for the next one: no price yet or none
--   for more than {{ var("max_sessions_missed") }} sessions, no rate yet, or no share count of its own time where weights
--   follow market value.

with last_held as (
    select
        basket_id,
        max(rebalance_date) as rebalance_date
    from intermediate.int_basket_holdings
    group by basket_id
)

select
    last_held.basket_id,
    members.symbol,
    last_held.rebalance_date
from last_held
inner join intermediate.int_basket_rebalances as rebalances
    on last_held.basket_id = rebalances.basket_id and last_held.rebalance_date = rebalances.rebalance_date
inner join seeds.basket_members as members
    on
        last_held.basket_id = members.basket_id
        and coalesce(members.valid_from, rebalances.next_session) <= rebalances.next_session
        and coalesce(members.valid_to, rebalances.next_session) >= rebalances.next_session
where
    (last_held.basket_id, last_held.rebalance_date, members.symbol) not in (
        select (holdings.basket_id, holdings.rebalance_date, holdings.symbol)
        from intermediate.int_basket_holdings as holdings
    )
order by all
