with returns as (
    select
        s.*,
        {{ period_returns({"return_": "s.level"}) }},
        s.level / 100 as growth,
        s.level / max(s.level) over series - 1 as drawdown
    from {{ ref("int_basket_levels") }} as s
    inner join {{ ref("int_basket_days_back") }} as back on s.basket_id = back.basket_id and s.date = back.date
    window series as (
        partition by s.basket_id, s.currency_basis, s.return_type
        order by s.date
    )
),

since_base as (
    select
        *,
        round(growth - 1, {{ var("return_decimals") }}) as return_since_base,
        coalesce(year(date) = year(base_date) and date >= base_date, false) as is_ytd_since_base,
        -- No return of less than a year is made into one of a year.
        case
            when date >= base_date + interval 1 year
                then round(pow(growth, 365.25 / (date - base_date)) - 1, {{ var("return_decimals") }})
        end as return_since_base_annualised
    from returns
)

select
    s.basket_id,
    baskets.name as basket_name,
    s.date,
    s.currency_basis,
    s.return_type,
    s.level,
    {% for period in var("periods") if period != "ytd" %}
        s.return_{{ period }},
    {% endfor %}
    case when s.is_ytd_since_base then s.return_since_base else s.return_ytd end as return_ytd,
    s.is_ytd_since_base,
    s.return_since_base,
    {% for years in [3, 5] %}
        round(pow(1 + s.return_{{ years }}y, 1 / {{ years }}) - 1, {{ var("return_decimals") }}) as return_{{ years }}y_annualised,
    {% endfor %}
    s.return_since_base_annualised,
    s.drawdown,
    s.members::integer as members,
    s.members_priced::integer as members_priced
from since_base as s
inner join {{ ref("baskets") }} as baskets on s.basket_id = baskets.basket_id
