-- severity: critical
-- table: marts.fct_basket_valuation_daily
-- why: Covered market value and weight are shares of the whole.

select
    basket_id,
    date,
    coverage_ratio,
    weight_covered
from marts.fct_basket_valuation_daily
where
    coverage_ratio < 0
    or coverage_ratio > 1 + 1e-9
    or weight_covered < 0
    or weight_covered > 1 + 1e-9
    or members_covered > members_priced
