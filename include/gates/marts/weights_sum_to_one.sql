-- severity: critical
-- table: intermediate.int_basket_holdings
-- why: Weights that do not add up to 1 scale the whole basket.

select
    basket_id,
    rebalance_date,
    sum(weight) as weights
from intermediate.int_basket_holdings
group by basket_id, rebalance_date
having abs(coalesce(sum(weight), 0) - 1) > 1e-9 or count(weight) < count(*)
