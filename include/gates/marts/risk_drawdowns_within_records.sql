-- severity: critical
-- table: marts.fct_basket_risk
-- why: A fall within a window begins at a record or below one, so it is no deeper than the deepest drawdown until then:
--   otherwise levels of two series or windows were mixed up.

with deepest as (
    select
        basket_id,
        date,
        currency_basis,
        return_type,
        min(drawdown) over (
            partition by basket_id, currency_basis, return_type
            order by date
            rows between unbounded preceding and current row
        ) as drawdown
    from marts.fct_basket_daily
)

select
    risk.basket_id,
    risk.date,
    risk.currency_basis,
    risk.return_type,
    risk.window_length,
    risk.max_drawdown,
    deepest.drawdown
from marts.fct_basket_risk as risk
left join deepest
    on
        risk.basket_id = deepest.basket_id
        and risk.date = deepest.date
        and risk.currency_basis = deepest.currency_basis
        and risk.return_type = deepest.return_type
where risk.max_drawdown is not null and coalesce(risk.max_drawdown < deepest.drawdown - 1e-9, true)
