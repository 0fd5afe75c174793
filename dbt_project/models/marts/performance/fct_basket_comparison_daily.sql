{% set keys = ["basket_id", "comparator_basket_id", "currency_basis", "return_type"] %}

with pair_days as (
    select distinct
        basket_id,
        comparator_basket_id,
        date
    from {{ ref("int_basket_pair_levels") }}
),

pair_days_back as (
    {{ days_back("pair_days", ["basket_id", "comparator_basket_id"]) }}
),

returns as (
    select
        s.basket_id,
        s.comparator_basket_id,
        s.date,
        s.currency_basis,
        s.return_type,
        case when s.comparator_level is not null then s.level end as level,
        case when s.level is not null then s.comparator_level end as comparator_level,
        {% for period in var("periods") %}
            round(
                ({{ period_return("s.level", period) }}) - ({{ period_return("s.comparator_level", period) }}),
                {{ var("return_decimals") }}
            ) as excess_return_{{ period }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}
    from {{ ref("int_basket_pair_levels") }} as s
    inner join pair_days_back as back
        on s.basket_id = back.basket_id and s.comparator_basket_id = back.comparator_basket_id and s.date = back.date
    window series as (
        partition by s.{{ keys | join(", s.") }}
        order by s.date
    )
)

select
    s.basket_id,
    one.name as basket_name,
    s.comparator_basket_id,
    two.name as comparator_name,
    s.date,
    s.currency_basis,
    s.return_type,
    {% for period in var("periods") %}
        s.excess_return_{{ period }},
    {% endfor %}
    coalesce(one.comparator_basket_id = s.comparator_basket_id, false) as is_default_comparator,
    100 * s.level / first_value(s.level ignore nulls) over series as level_rebased,
    100 * s.comparator_level / first_value(s.comparator_level ignore nulls) over series as comparator_level_rebased,
    100 * level_rebased / comparator_level_rebased as relative_level,
    case
        when own.weight_covered >= {{ var("min_coverage_ratio") }} and other.weight_covered >= {{ var("min_coverage_ratio") }}
            then 1 - own.forward_pe_basket_weighted / other.forward_pe_basket_weighted
    end as forward_pe_discount
from returns as s
inner join {{ ref("baskets") }} as one on s.basket_id = one.basket_id
inner join {{ ref("baskets") }} as two on s.comparator_basket_id = two.basket_id
asof left join {{ ref("int_basket_multiples") }} as own
    on s.basket_id = own.basket_id and s.date >= own.date
asof left join {{ ref("int_basket_multiples") }} as other
    on s.comparator_basket_id = other.basket_id and s.date >= other.date
window series as (
    partition by s.{{ keys | join(", s.") }}
    order by s.date
)
