-- severity: critical
-- table: marts.fct_basket_exposures
-- why: A rebalance sells at most the whole basket.

select
    basket_id,
    date,
    turnover
from marts.fct_basket_exposures
where turnover not between 0 and 1 + 1e-9
