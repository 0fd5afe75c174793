-- The level that each day's contributions are measured against: the close before, and for the periods to date the base
-- of fct_basket_daily, or none.
with steps as (
    select
        basket_id,
        date,
        currency_basis,
        return_type,
        lag(level) over series as previous_level,
        lag(date) over series as previous_date
    from {{ ref("int_basket_levels") }}
    window series as (
        partition by basket_id, currency_basis, return_type
        order by date
    )
),

-- Every day of a period has the same base: the close before its first day.
first_days as (
    select
        basket_id,
        date,
        currency_basis,
        return_type,
        {% for period in var("periods_to_date") %}
            first_value(previous_level) over (
                partition by basket_id, currency_basis, return_type, {{ period_target(period, "date") }}
                order by date
            ) as level_{{ period }},
            first_value(previous_date) over (
                partition by basket_id, currency_basis, return_type, {{ period_target(period, "date") }}
                order by date
            ) as date_{{ period }},
        {% endfor %}
        previous_level
    from steps
)

select
    basket_id,
    date,
    currency_basis,
    return_type,
    {% for period in var("periods_to_date") %}
        case when date_{{ period }} >= {{ period_target(period, "date") }} - {{ var("max_base_age_days") }} then level_{{ period }} end
            as base_level_{{ period }},
    {% endfor %}
    previous_level
from first_days
