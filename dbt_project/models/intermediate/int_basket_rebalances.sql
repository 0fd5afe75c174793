-- The dates after whose close each basket is set to its weights: its base date, then the last common session of each period.
with calendar as (
    select
        calendar.*,
        baskets.rebalance,
        base_dates.base_date
    from {{ ref("int_basket_calendar") }} as calendar
    inner join {{ ref("baskets") }} as baskets on calendar.basket_id = baskets.basket_id
    inner join {{ ref("int_basket_base_dates") }} as base_dates on calendar.basket_id = base_dates.basket_id
),

periods as (
    select
        basket_id,
        base_date,
        max(date) as rebalance_date
    from calendar
    where is_common and rebalance <> 'none'
    group by
        basket_id,
        base_date,
        case rebalance
            when 'daily' then date
            when 'monthly' then date_trunc('month', date)::date
            when 'quarterly' then date_trunc('quarter', date)::date
            when 'annual' then date_trunc('year', date)::date
        end
),

all_dates as (
    select
        basket_id,
        base_date as rebalance_date
    from {{ ref("int_basket_base_dates") }}
    union
    select
        periods.basket_id,
        periods.rebalance_date
    from periods
    inner join calendar
        on periods.basket_id = calendar.basket_id and periods.rebalance_date = calendar.date
    where calendar.has_data and periods.rebalance_date > periods.base_date
),

final as (
    select
        basket_id,
        rebalance_date,
        row_number() over (partition by basket_id order by rebalance_date) - 1 as rebalance_number,
        lead(rebalance_date) over (partition by basket_id order by rebalance_date) as next_rebalance_date
    from all_dates
)

select * from final
