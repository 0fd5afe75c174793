{# A day as a sentence writes it: 7 March 2025. #}
{% macro long_date(date) -%}
    strftime({{ date }}, '%-d %B %Y')
{%- endmacro %}

{# A ratio as a percentage with one decimal: 43.1%. #}
{% macro percent(ratio) -%}
    printf('%.1f%%', 100 * {{ ratio }})
{%- endmacro %}

{# A verb and an amount: 'is up 43.1%'. A change that prints as 0.0% is unchanged. #}
{% macro moved(ratio, verb="is") -%}
    case
        when round(1000 * {{ ratio }}) = 0 then '{{ verb }} unchanged'
        when {{ ratio }} > 0 then '{{ verb }} up ' || {{ percent(ratio) }}
        else '{{ verb }} down ' || {{ percent("abs(" ~ ratio ~ ")") }}
    end
{%- endmacro %}

{# A value that is older than this many days says nothing of the day. #}
{% macro headline_max_age_days() %}10{% endmacro %}
