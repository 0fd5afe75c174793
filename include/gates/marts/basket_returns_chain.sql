-- severity: critical
-- table: marts.fct_basket_daily
-- why: A basket's return is a ratio of its levels.

with steps as (
    select
        *,
        lag(level) over (partition by basket_id, currency_basis, return_type order by date) as level_before
    from marts.fct_basket_daily
)

select
    basket_id,
    date,
    currency_basis,
    return_type,
    return_1d
from steps
where abs(level / level_before - 1 - return_1d) > 1e-9
