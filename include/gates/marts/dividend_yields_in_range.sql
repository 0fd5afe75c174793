-- severity: critical
-- table: marts.fct_security_daily
-- why: Dividends are not below zero, and a yield belongs to payments.

select
    symbol,
    date,
    dividend_yield_ttm,
    dividend_payments_ttm,
    special_dividend_yield_ttm
from marts.fct_security_daily
where
    dividend_yield_ttm < 0
    or special_dividend_yield_ttm < 0
    or dividend_payments_ttm < 0
    or (dividend_yield_ttm is not null and (dividend_yield_ttm > 0) <> (dividend_payments_ttm > 0))
