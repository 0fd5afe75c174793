{# Value and dividend of each holding on each day in both currency bases, as shares of its basket after the last rebalance. #}
{% macro member_relatives() -%}
    {%- for basis, suffix in [("local", ""), ("usd", "_usd")] %}
    select
        basket_id,
        symbol,
        date,
        rebalance_number,
        '{{ basis }}' as currency_basis,
        weight,
        weight * close{{ suffix }} / close{{ suffix }}_bought as value,
        weight * dividend{{ suffix }} / close{{ suffix }}_bought as dividend_value,
        is_priced
    from {{ ref("int_basket_member_values") }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endmacro %}
