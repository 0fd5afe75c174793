-- severity: critical
-- table: marts.fct_basket_market_value_daily
-- why: A market value is above zero.

select
    basket_id,
    date,
    market_value_usd
from marts.fct_basket_market_value_daily
where market_value_usd <= 0
