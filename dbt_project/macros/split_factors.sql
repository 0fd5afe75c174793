{# Joins the product of the ratios of all splits after `basis_date`, which brings a value to the latest basis. For split_factor(). #}
{% macro split_factor_join(row) -%}
    asof left join {{ ref("int_split_factors") }} as split_factors
        on {{ row }}.symbol = split_factors.symbol and {{ row }}.basis_date < split_factors.ex_date
{%- endmacro %}

{% macro split_factor() -%}
    coalesce(split_factors.cumulative_ratio, 1.0)
{%- endmacro %}
