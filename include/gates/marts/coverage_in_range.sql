-- severity: critical
-- table: marts.fct_basket_valuation_daily
-- why: Covered market value and weights are shares of the whole, and a yield belongs to some of it.

select
    basket_id,
    date,
    coverage_ratio,
    weight_covered,
    dividend_weight_covered,
    dividend_yield_ttm
from marts.fct_basket_valuation_daily
where
    coverage_ratio < 0
    or coverage_ratio > 1 + 1e-9
    or weight_covered < 0
    or weight_covered > 1 + 1e-9
    or dividend_weight_covered < 0
    or dividend_weight_covered > 1 + 1e-9
    or (dividend_weight_covered > 0) <> (dividend_yield_ttm is not null)
    or dividend_yield_ttm < 0
    or members_covered > members_priced
