-- The level that each day's contributions are measured against: the close before, and for the periods to date the base
-- of fct_basket_daily, or none.
select
    s.basket_id,
    s.date,
    s.currency_basis,
    s.return_type,
    {% for period in var("periods_to_date") %}
        lag(s.level, back.back_{{ period }}) over series as base_level_{{ period }},
    {% endfor %}
    lag(s.level) over series as previous_level
from {{ ref("int_basket_levels") }} as s
inner join {{ ref("int_basket_days_back") }} as back on s.basket_id = back.basket_id and s.date = back.date
window series as (
    partition by s.basket_id, s.currency_basis, s.return_type
    order by s.date
)
