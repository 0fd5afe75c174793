-- severity: critical
-- table: marts.fct_basket_daily
-- why: A basket without a level on one of its days has a member without a value.

-- In dollars the levels begin with the rates.
with levels as (
    select
        *,
        count(level) over (
            partition by basket_id, currency_basis, return_type
            order by date
        ) = 0 as is_before_the_first
    from marts.fct_basket_daily
)

select
    basket_id,
    date,
    currency_basis,
    return_type
from levels
where
    (level is null and not (is_before_the_first and currency_basis = 'usd'))
    or level <= 0
    or isnan(level)
    or isinf(level)
