-- severity: critical
-- table: marts.fct_basket_risk
-- why: A row of total returns of weeks or months has a Sharpe ratio, or a reason says why there is none; no other row has
--   either.

select
    basket_id,
    date,
    currency_basis,
    return_type,
    window_length,
    benchmark_id,
    sharpe_ratio,
    sharpe_ratio_reason
from marts.fct_basket_risk
where
    (sharpe_ratio is not null)::integer + (sharpe_ratio_reason is not null)::integer
    <> (benchmark_id is null and return_type = 'total' and window_length in (
        {%- for name, risk_window in var("risk_windows").items() if risk_window.cycle != "day" -%}
            '{{ name }}'{{ ", " if not loop.last }}
        {%- endfor -%}
    ))::integer
