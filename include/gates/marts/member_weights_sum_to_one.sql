-- severity: critical
-- table: marts.fct_basket_member_daily
-- why: At the open and at the close of each day the weights of a basket add up to 1; at the open of its base date there
--   are none.

with sums as (
    select
        basket_id,
        date,
        currency_basis,
        return_type,
        sum(weight_open) as weights_open,
        sum(weight_close) as weights_close,
        count(weight_open) = count(*) as is_opened,
        min(date) over (partition by basket_id) as first_date
    from marts.fct_basket_member_daily
    group by basket_id, date, currency_basis, return_type
)

select
    basket_id,
    date,
    currency_basis,
    return_type,
    weights_open,
    weights_close
from sums
where
    abs(coalesce(weights_close, 0) - 1) > 1e-9
    or (date > first_date and (not is_opened or abs(weights_open - 1) > 1e-9))
    or (date = first_date and weights_open is not null)
