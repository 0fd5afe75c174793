-- severity: critical
-- table: marts.fct_basket_member_daily
-- why: At the open and at the close of each day with a level the weights of a basket add up to 1; at the open of the
--   first one there are none.

with first_days as (
    select
        basket_id,
        currency_basis,
        min(date) as first_date
    from marts.fct_basket_daily
    where level is not null
    group by basket_id, currency_basis
),

sums as (
    select
        members.basket_id,
        members.date,
        members.currency_basis,
        members.return_type,
        first_days.first_date,
        sum(members.weight_open) as weights_open,
        sum(members.weight_close) as weights_close,
        count(members.weight_open) = count(*) as is_opened
    from marts.fct_basket_member_daily as members
    inner join first_days
        on
            members.basket_id = first_days.basket_id
            and members.currency_basis = first_days.currency_basis
            and members.date >= first_days.first_date
    group by members.basket_id, members.date, members.currency_basis, members.return_type, first_days.first_date
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
