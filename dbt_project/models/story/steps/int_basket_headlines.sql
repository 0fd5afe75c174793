-- Headlines of what a basket returned: in the year, of which the first begins on its base date, and since each event.
with days as (
    select
        days.as_of,
        baskets.basket_id,
        baskets.basket_name as name,
        baskets.base_date
    from {{ ref("int_headline_days") }} as days
    cross join {{ ref("dim_baskets") }} as baskets
),

levels as (
    select
        basket_id,
        date,
        level,
        return_ytd,
        is_ytd_since_base
    from {{ ref("fct_basket_daily") }}
    where currency_basis = 'local' and return_type = 'price'
),

year_to_date as (
    select
        days.as_of,
        days.basket_id,
        days.name,
        'return_ytd' as measure,
        case when levels.is_ytd_since_base then '_since_base' else '' end as counted,
        levels.return_ytd as value,
        levels.date as value_date,
        days.base_date
    from days
    asof inner join levels on days.basket_id = levels.basket_id and days.as_of >= levels.date
    where levels.return_ytd is not null and levels.date > days.base_date
),

-- The return between two closes is a ratio of levels.
event_levels as (
    select
        events.event_id,
        events.name as event_name,
        baskets.basket_id,
        levels.date as base_date,
        levels.level
    from {{ ref("market_events") }} as events
    cross join {{ ref("baskets") }} as baskets
    asof inner join levels on baskets.basket_id = levels.basket_id and events.date >= levels.date
    where events.date - levels.date <= {{ var("max_headline_age_days") }}
),

since_event as (
    select
        days.as_of,
        days.basket_id,
        days.name,
        'return_since_event' as measure,
        '' as counted,
        levels.level / event_levels.level - 1 as value,
        levels.date as value_date,
        event_levels.event_id,
        event_levels.event_name,
        event_levels.base_date
    from days
    asof inner join levels on days.basket_id = levels.basket_id and days.as_of >= levels.date
    inner join event_levels on days.basket_id = event_levels.basket_id
    where levels.date > event_levels.base_date
),

returns as (
    select * from year_to_date
    union all by name
    select * from since_event
)

select
    as_of,
    basket_id as subject,
    'basket' as subject_kind,
    name as subject_name,
    measure,
    {{ direction("value") }} || counted as outcome,
    value,
    value_date,
    event_id,
    event_name,
    base_date
from returns
