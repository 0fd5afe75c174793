-- severity: critical
-- table: marts.fct_basket_risk
-- why: Each series of a basket has a row for every window on its last day of each month, measured or not: otherwise a
--   month is lost.

with month_ends as (
    select
        basket_id,
        currency_basis,
        return_type,
        max(date) as date
    from marts.fct_basket_daily
    group by basket_id, currency_basis, return_type, date_trunc('month', date)
)

select
    month_ends.basket_id,
    month_ends.currency_basis,
    month_ends.return_type,
    month_ends.date,
    count(risk.window_length) as windows
from month_ends
left join marts.fct_basket_risk as risk
    on
        month_ends.basket_id = risk.basket_id
        and month_ends.currency_basis = risk.currency_basis
        and month_ends.return_type = risk.return_type
        and month_ends.date = risk.date
        and risk.benchmark_id is null
group by month_ends.basket_id, month_ends.currency_basis, month_ends.return_type, month_ends.date
having count(risk.window_length) <> {{ var("risk_windows") | length }}
