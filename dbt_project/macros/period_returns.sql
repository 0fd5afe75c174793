{# Columns `<prefix><period>` = value / base value - 1, for use with period_joins. A base that is too old gives NULL. #}
{% macro period_returns(values, row="s") -%}
    {%- for prefix, value in values.items() -%}
        {%- set is_last_value = loop.last -%}
        {%- for period in var("periods") %}
            {%- set ratio = row ~ "." ~ value ~ " / base_" ~ period ~ "." ~ value ~ " - 1" %}
        {% if period == "1d" -%}
        {{ ratio }} as {{ prefix }}{{ period }}
        {%- else -%}
        case
            when base_{{ period }}.date >= {{ period_target(period, row ~ ".date") }} - {{ var("max_base_age_days") }} then {{ ratio }}
        end as {{ prefix }}{{ period }}
        {%- endif -%}
        {%- if not (is_last_value and loop.last) %},{% endif -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{# One join a period, to the row that is its base: the last one of the same keys on or before the target. #}
{% macro period_joins(relation, keys, row="s") -%}
    {%- for period in var("periods") %}
    asof left join {{ relation }} as base_{{ period }}
        on
            {% for key in keys %}{{ row }}.{{ key }} = base_{{ period }}.{{ key }}
            and {% endfor %}{{ period_target(period, row ~ ".date") }} >= base_{{ period }}.date
    {%- endfor -%}
{%- endmacro %}
