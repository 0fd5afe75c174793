-- The days of each basket on which risk is measured: its last one in each month, so in the running month its last day
-- so far. A week or month that ends before next_date is over: no session is left in it, and all data of it are there.
with days as (
    select
        calendar.basket_id,
        calendar.date,
        coalesce(
            lead(calendar.date) over (partition by calendar.basket_id order by calendar.date),
            progress.complete_until + 1
        ) as next_date
    from {{ ref("int_basket_calendar") }} as calendar
    inner join {{ ref("int_basket_progress") }} as progress on calendar.basket_id = progress.basket_id
)

select
    basket_id,
    date,
    next_date
from days
qualify date = max(date) over (partition by basket_id, date_trunc('month', date))
