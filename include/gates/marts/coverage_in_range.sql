-- severity: critical
-- table: marts.fct_basket_valuation_daily
-- why: Covered market value is a share of the whole.

select
    basket_id,
    date,
    coverage_ratio
from marts.fct_basket_valuation_daily
where coverage_ratio < 0 or coverage_ratio > 1 + 1e-9 or members_covered > members_priced
