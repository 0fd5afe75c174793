{% set all_series = [
    {"name": "price", "basis": "local", "type": "price", "suffix": ""},
    {"name": "total", "basis": "local", "type": "total", "suffix": ""},
    {"name": "price_usd", "basis": "usd", "type": "price", "suffix": "_usd"},
    {"name": "total_usd", "basis": "usd", "type": "total", "suffix": "_usd"},
] %}

-- Contributions in points of the level, so that they add up whatever is rebalanced between: what was earned since the
-- base over the level at the base. The four series of a basket lie side by side until the end.
with bases as (
    select
        basket_id,
        {% for series in all_series %}
            {% set of_series = "filter (where currency_basis = '" ~ series.basis ~ "' and return_type = '" ~ series.type ~ "')" %}
            count(*) {{ of_series }} > 0 as has_{{ series.name }},
            any_value(previous_level) {{ of_series }} as previous_level_{{ series.name }},
            {% for period in var("periods_to_date") %}
                any_value(base_level_{{ period }}) {{ of_series }} as base_level_{{ period }}_{{ series.name }},
            {% endfor %}
        {% endfor %}
        date,
        lead(date) over (partition by basket_id order by date) as next_date
    from {{ ref("int_basket_period_bases") }}
    group by basket_id, date
),

held as (
    select
        *,
        lead(date) over (partition by basket_id, symbol order by date) as next_held_date
    from {{ ref("int_basket_member_steps") }}
),

-- A member that was sold stays, without weight, as long as the year or the week to date counts a day on which it was
-- held.
days as (
    select
        *,
        true as is_held
    from held
    union all by name
    select
        held.basket_id,
        held.symbol,
        bases.date,
        false as is_held
    from held
    inner join bases as last_day
        on held.basket_id = last_day.basket_id and held.date = last_day.date and held.next_held_date is distinct from last_day.next_date
    inner join bases
        on
            held.basket_id = bases.basket_id
            and held.date < bases.date
            and held.date > least({{ period_target("wtd", "bases.date") }}, {{ period_target("ytd", "bases.date") }})
            and coalesce(held.next_held_date > bases.date, true)
),

contributions as (
    select
        {% for series in all_series %}
            case when days.is_held then days.weight_open{{ series.suffix }} * days.{{ series.type }}_return{{ series.suffix }} else 0 end
                as contribution_1d_{{ series.name }},
            bases.has_{{ series.name }},
            bases.previous_level_{{ series.name }},
            {% for period in var("periods_to_date") %}
                bases.base_level_{{ period }}_{{ series.name }},
            {% endfor %}
        {% endfor %}
        days.*
    from days
    inner join bases on days.basket_id = bases.basket_id and days.date = bases.date
),

summed as (
    select
        contributions.*,
        {% for series in all_series %}
            {% for period in var("periods_to_date") %}
                coalesce(sum(contributions.contribution_1d_{{ series.name }} * contributions.previous_level_{{ series.name }}) over {{ period }}, 0)
                / contributions.base_level_{{ period }}_{{ series.name }} as contribution_{{ period }}_{{ series.name }},
            {% endfor %}
        {% endfor %}
        baskets.name as basket_name,
        securities.name as security_name
    from contributions
    inner join {{ ref("baskets") }} as baskets on contributions.basket_id = baskets.basket_id
    inner join {{ ref("securities") }} as securities on contributions.symbol = securities.symbol
    window
        {% for period in var("periods_to_date") %}
            {{ period }} as (
                partition by contributions.basket_id, contributions.symbol, {{ period_target(period, "contributions.date") }}
                order by contributions.date
                rows between unbounded preceding and current row
            ){% if not loop.last %},{% endif %}
        {% endfor %}
)

{% for series in all_series %}
    select
        basket_id,
        basket_name,
        symbol,
        security_name,
        date,
        '{{ series.basis }}' as currency_basis,
        '{{ series.type }}' as return_type,
        case when is_held then weight_open{{ series.suffix }} else 0 end as weight_open,
        case when is_held then weight_close{{ series.suffix }} else 0 end as weight_close,
        {{ series.type }}_return{{ series.suffix }} as return_1d,
        contribution_1d_{{ series.name }} as contribution_1d,
        contribution_wtd_{{ series.name }} as contribution_wtd,
        contribution_mtd_{{ series.name }} as contribution_mtd,
        contribution_ytd_{{ series.name }} as contribution_ytd
    from summed
    where has_{{ series.name }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
