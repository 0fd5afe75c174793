{# How many days back the base of each period lies, for each day of `days`, which has one row a day of `keys`. The base is #}
{# the last day on or before the period's target. NULL where there is none, or where it is too old. #}
{% macro days_back(days, keys) -%}
    with numbered as (
        select
            {% for key in keys %}{{ key }},
            {% endfor %}date,
            row_number() over (partition by {{ keys | join(", ") }} order by date) as day_number
        from {{ days }}
    )

    select
        {% for key in keys %}s.{{ key }},
        {% endfor %}s.date
        {%- for period in var("periods") %},
        {% if period == "1d" -%}
            1 as back_1d
        {%- else -%}
            case
                when base_{{ period }}.date >= {{ period_target(period, "s.date") }} - {{ var("max_base_age_days") }}
                    then s.day_number - base_{{ period }}.day_number
            end as back_{{ period }}
        {%- endif -%}
        {%- endfor %}
    from numbered as s
    {%- for period in var("periods") if period != "1d" %}
    asof left join numbered as base_{{ period }}
        on
            {% for key in keys %}s.{{ key }} = base_{{ period }}.{{ key }}
            and {% endfor %}{{ period_target(period, "s.date") }} >= base_{{ period }}.date
    {%- endfor -%}
{%- endmacro %}

{# The return of a column over a period. The caller has `back`, a row of days_back() for each of its own rows, and the #}
{# window `series`, in which each of those days has a row. #}
{% macro period_return(column, period) -%}
    {{ column }} / lag({{ column }}, back.back_{{ period }}) over series - 1
{%- endmacro %}

{# Columns `<prefix><period>` of every period, see period_return(). Rounded, a return takes a third less room. #}
{% macro period_returns(columns) -%}
    {%- for prefix, column in columns.items() -%}
        {%- set is_last_column = loop.last -%}
        {%- for period in var("periods") %}
        round({{ period_return(column, period) }}, {{ var("return_decimals") }}) as {{ prefix }}{{ period }}
        {%- if not (is_last_column and loop.last) %},{% endif -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}
