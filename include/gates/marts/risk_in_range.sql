-- severity: critical
-- table: marts.fct_basket_risk
-- why: A deviation is not negative, a fall is at most the whole, a correlation at most 1, and each measure is a number.

select
    basket_id,
    date,
    currency_basis,
    return_type,
    window_length,
    benchmark_id,
    volatility,
    max_drawdown,
    correlation,
    beta,
    beta_standard_error,
    tracking_error,
    information_ratio,
    sharpe_ratio
from marts.fct_basket_risk
where
    least(volatility, beta_standard_error, tracking_error) < 0
    or max_drawdown not between -1 and 0
    or abs(correlation) > 1 + 1e-9
    or not isfinite(volatility + max_drawdown)
    or not isfinite(correlation + beta + beta_standard_error)
    or not isfinite(tracking_error + information_ratio)
    or not isfinite(sharpe_ratio)
