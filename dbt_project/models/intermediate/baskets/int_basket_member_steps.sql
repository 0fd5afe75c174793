-- What each holding weighs at the open and at the close of each day and what it returns on it, in both currency bases.
-- The open after a rebalance is at the new weights. On the base date there is a close only. Days without a level in
-- dollars have no weights in dollars.
with by_basis as (
    {{ member_relatives() }}
),

baskets as (
    select
        *,
        case when count(value) over whole = count(*) over whole then sum(value) over whole end as basket_value
    from by_basis
    window whole as (
        partition by basket_id, date, currency_basis
        order by symbol
        rows between unbounded preceding and unbounded following
    )
),

opened as (
    select
        *,
        min(date) filter (where basket_value is not null) over (partition by basket_id, currency_basis) as first_date,
        lag(value, 1, case when rebalance_number > 0 then weight end) over held as value_open,
        lag(basket_value, 1, case when rebalance_number > 0 then 1 end) over held as basket_value_open
    from baskets
    window held as (
        partition by basket_id, symbol, currency_basis, rebalance_number
        order by date
    )
)

select
    basket_id,
    symbol,
    date,
    currency_basis,
    case when date > first_date then value_open / basket_value_open end as weight_open,
    value / basket_value as weight_close,
    value / value_open - 1 as price_return,
    (value + dividend_value) / value_open - 1 as total_return
from opened
