-- The level that each day's contributions are measured against: the close before, the base date's, and of each period the
-- base of fct_basket_daily, which for the year of the base date is the base date's, or none.
select
    s.basket_id,
    s.date,
    s.currency_basis,
    s.return_type,
    {% for period in var("contribution_periods") %}
        {% if period == "ytd" -%}
            case when year(s.date) = year(s.base_date) and s.date >= s.base_date then 100 else lag(s.level, back.back_ytd) over series end
        {%- else -%}
            lag(s.level, back.back_{{ period }}) over series
        {%- endif %} as base_level_{{ period }},
    {% endfor %}
    case when s.level is not null then 100 end as base_level_since_base,
    lag(s.level) over series as previous_level
from {{ ref("int_basket_levels") }} as s
inner join {{ ref("int_basket_days_back") }} as back on s.basket_id = back.basket_id and s.date = back.date
window series as (
    partition by s.basket_id, s.currency_basis, s.return_type
    order by s.date
)
