-- severity: critical
-- table: marts.fct_basket_exposures
-- why: Each member lies in one sector, one country and one currency, or is unknown: each kind adds up to the basket.

select
    basket_id,
    date,
    kind,
    sum(weight) as weight
from marts.fct_basket_exposures
group by basket_id, date, kind
having abs(sum(weight) - 1) > 1e-9 or min(weight) < 0 or sum(weight) is null
