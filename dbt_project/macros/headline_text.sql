{# A day as a sentence writes it: 7 March 2025. #}
{% macro long_date(date) -%}
    strftime({{ date }}, '%-d %B %Y')
{%- endmacro %}

{# A ratio as a percentage with one decimal: 43.1%. #}
{% macro percent(ratio) -%}
    printf('%.1f%%', 100 * ({{ ratio }}))
{%- endmacro %}

{# A change as a sentence tells it: 'gained 43.1%'. One that prints as 0.0% is 'was unchanged'. #}
{% macro moved(ratio, up="gained", down="lost") -%}
    case
        when round(1000 * ({{ ratio }})) = 0 then 'was unchanged'
        when {{ ratio }} > 0 then '{{ up }} ' || {{ percent(ratio) }}
        else '{{ down }} ' || {{ percent("abs(" ~ ratio ~ ")") }}
    end
{%- endmacro %}

{# US dollars in billions: $439 billion. #}
{% macro billions(usd) -%}
    case when {{ usd }} < 0 then '-' else '' end || format('${:,.0f} billion', abs({{ usd }}) / 1e9)
{%- endmacro %}

{# A value that is older than this many days says nothing of the day. #}
{% macro headline_max_age_days() %}10{% endmacro %}
