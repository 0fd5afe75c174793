-- Headlines of what a basket returned: year to date, and since each event.
with days as (
    select
        days.as_of,
        baskets.basket_id,
        baskets.name
    from {{ ref("int_headline_days") }} as days
    cross join {{ ref("baskets") }} as baskets
),

levels as (
    select
        basket_id,
        date,
        level,
        return_ytd
    from {{ ref("fct_basket_daily") }}
    where currency_basis = 'local' and return_type = 'price'
),

year_to_date as (
    select
        days.as_of,
        days.basket_id || '_return_ytd' as headline_id,
        days.basket_id as subject,
        'return_ytd' as measure,
        'ratio' as unit,
        levels.return_ytd as value,
        {{ percent("levels.return_ytd") }} as value_text,
        levels.date as value_date,
        days.name || ' ' || {{ moved("levels.return_ytd") }} || ' in ' || year(levels.date) || ' to the close of '
        || {{ long_date("levels.date") }} || ', in local currency without dividends.' as sentence
    from days
    asof inner join levels on days.basket_id = levels.basket_id and days.as_of >= levels.date
    where levels.return_ytd is not null
),

-- The return between two closes is a ratio of levels.
event_levels as (
    select
        events.event_id,
        events.name as event_name,
        baskets.basket_id,
        levels.date as event_date,
        levels.level
    from {{ ref("market_events") }} as events
    cross join {{ ref("baskets") }} as baskets
    asof inner join levels on baskets.basket_id = levels.basket_id and events.date >= levels.date
    where events.date - levels.date <= {{ var("max_headline_age_days") }}
),

since_event as (
    select
        days.as_of,
        days.basket_id || '_return_since_' || event_levels.event_id as headline_id,
        days.basket_id as subject,
        'return_since_' || event_levels.event_id as measure,
        'ratio' as unit,
        levels.level / event_levels.level - 1 as value,
        {{ percent("levels.level / event_levels.level - 1") }} as value_text,
        levels.date as value_date,
        days.name || ' ' || {{ moved("levels.level / event_levels.level - 1") }} || ' since ' || event_levels.event_name || ', from the close of '
        || {{ long_date("event_levels.event_date") }} || ' to that of ' || {{ long_date("levels.date") }} || '.' as sentence
    from days
    asof inner join levels on days.basket_id = levels.basket_id and days.as_of >= levels.date
    inner join event_levels on days.basket_id = event_levels.basket_id
    where levels.date > event_levels.event_date
)

select * from year_to_date
union all
select * from since_event
