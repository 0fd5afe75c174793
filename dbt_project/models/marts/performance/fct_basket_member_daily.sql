{% set all_series = [
    {"name": "price", "basis": "local", "type": "price", "suffix": ""},
    {"name": "total", "basis": "local", "type": "total", "suffix": ""},
    {"name": "price_usd", "basis": "usd", "type": "price", "suffix": "_usd"},
    {"name": "total_usd", "basis": "usd", "type": "total", "suffix": "_usd"},
] %}
{% set periods = var("contribution_periods") + ["since_base"] %}

-- Contributions in points of the level, so that they add up whatever is rebalanced between: what was earned since the
-- base over the level at the base. The four series of a basket lie side by side until the end.
with bases as (
    select
        basket_id,
        {% for series in all_series %}
            {% set of_series = "filter (where currency_basis = '" ~ series.basis ~ "' and return_type = '" ~ series.type ~ "')" %}
            count(*) {{ of_series }} > 0 as has_{{ series.name }},
            any_value(previous_level) {{ of_series }} as previous_level_{{ series.name }},
            {% for period in periods %}
                any_value(base_level_{{ period }}) {{ of_series }} as base_level_{{ period }}_{{ series.name }},
            {% endfor %}
        {% endfor %}
        date
    from {{ ref("int_basket_period_bases") }}
    group by basket_id, date
),

memberships as (
    select
        basket_id,
        symbol,
        min(date) as first_date
    from {{ ref("int_basket_member_steps") }}
    group by basket_id, symbol
),

-- A member has a row each day from its first on: one that was sold stays, without weight, as long as the basket, since
-- what it earned is part of the return since the base.
days as (
    select
        memberships.basket_id,
        memberships.symbol,
        bases.date,
        held.date is not null as is_held,
        {% for suffix in ["", "_usd"] %}
            held.weight_open{{ suffix }},
            held.weight_close{{ suffix }},
        {% endfor %}
        {% for series in all_series %}
            held.{{ series.type }}_return{{ series.suffix }},
            held.weight_open{{ series.suffix }} * held.{{ series.type }}_return{{ series.suffix }} * bases.previous_level_{{ series.name }}
                as points_{{ series.name }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}
    from memberships
    inner join bases on memberships.basket_id = bases.basket_id and memberships.first_date <= bases.date
    left join {{ ref("int_basket_member_steps") }} as held
        on memberships.basket_id = held.basket_id and memberships.symbol = held.symbol and bases.date = held.date
),

earned as (
    select
        {% for series in all_series %}
            coalesce(sum(points_{{ series.name }}) over so_far, 0) as earned_{{ series.name }},
        {% endfor %}
        *
    from days
    window so_far as (
        partition by basket_id, symbol
        order by date
        rows between unbounded preceding and current row
    )
),

since_bases as (
    select
        {% for series in all_series %}
            {% for period in periods %}
                {% if period == "since_base" -%}
                    earned.earned_{{ series.name }}
                {%- else -%}
                    earned.earned_{{ series.name }} - coalesce(lag(earned.earned_{{ series.name }}, back.back_{{ period }}) over series, 0)
                {%- endif %} as earned_{{ period }}_{{ series.name }},
            {% endfor %}
        {% endfor %}
        earned.*
    from earned
    inner join {{ ref("int_basket_days_back") }} as back on earned.basket_id = back.basket_id and earned.date = back.date
    window series as (
        partition by earned.basket_id, earned.symbol
        order by earned.date
    )
)

{% for series in all_series %}
    select
        s.basket_id,
        baskets.name as basket_name,
        s.symbol,
        securities.name as security_name,
        s.date,
        '{{ series.basis }}' as currency_basis,
        '{{ series.type }}' as return_type,
        case when s.is_held then s.weight_open{{ series.suffix }} when bases.previous_level_{{ series.name }} is not null then 0 end as weight_open,
        case when s.is_held then s.weight_close{{ series.suffix }} when bases.base_level_since_base_{{ series.name }} is not null then 0 end
            as weight_close,
        s.{{ series.type }}_return{{ series.suffix }} as return_1d,
        case
            when s.is_held then s.weight_open{{ series.suffix }} * s.{{ series.type }}_return{{ series.suffix }}
            when bases.previous_level_{{ series.name }} is not null then 0
        end as contribution_1d,
        {% for period in periods %}
            s.earned_{{ period }}_{{ series.name }} / bases.base_level_{{ period }}_{{ series.name }} as contribution_{{ period }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}
    from since_bases as s
    inner join bases on s.basket_id = bases.basket_id and s.date = bases.date and bases.has_{{ series.name }}
    inner join {{ ref("baskets") }} as baskets on s.basket_id = baskets.basket_id
    inner join {{ ref("securities") }} as securities on s.symbol = securities.symbol
    {% if not loop.last %}union all{% endif %}
{% endfor %}
