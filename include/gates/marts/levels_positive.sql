-- severity: critical
-- table: marts.fct_basket_daily
-- why: A basket without a level on one of its days has a member without a value.

select
    basket_id,
    date,
    currency_basis,
    return_type
from marts.fct_basket_daily
where level is null or level <= 0 or isnan(level) or isinf(level)
