{# A day as a sentence writes it: 7 March 2025. #}
{% macro long_date(date) -%}
    strftime({{ date }}, '%-d %B %Y')
{%- endmacro %}

{# A ratio as a percentage with one decimal: 43.1%. Adding zero takes the sign from a -0.0. #}
{% macro percent(ratio) -%}
    printf('%.1f%%', round(100 * ({{ ratio }}), 1) + 0)
{%- endmacro %}

{# A name that begins with an article, inside a sentence: of the Magnificent Seven. #}
{% macro in_sentence(name) -%}
    case when starts_with({{ name }}, 'The ') then 'the ' || {{ name }}[5:] else {{ name }} end
{%- endmacro %}

{# A change as a sentence tells it: 'gained 43.1%'. One that prints as 0.0% is 'hardly moved', which fits one and many. #}
{% macro moved(ratio, up="gained", down="lost") -%}
    case
        when round(1000 * ({{ ratio }})) = 0 then 'hardly moved'
        when {{ ratio }} > 0 then '{{ up }} ' || {{ percent(ratio) }}
        else '{{ down }} ' || {{ percent("abs(" ~ ratio ~ ")") }}
    end
{%- endmacro %}

{# US dollars in billions, $439 billion, or below one in millions. #}
{% macro billions(usd) -%}
    case when {{ usd }} < 0 then '-' else '' end
    || case
        when abs({{ usd }}) < 999.5e6 then format('${:,.0f} million', abs({{ usd }}) / 1e6)
        else format('${:,.0f} billion', abs({{ usd }}) / 1e9)
    end
{%- endmacro %}
