{# Whether a value is what a claim says. Bounds are compared with a slack of a billionth, so that a value exactly at its #}
{# bound counts as at it, whatever its last binary digit. #}
{% macro claim_holds(value) -%}
    {%- set difference = "(" ~ value ~ " - claimed_value)" -%}
    {%- set slack = "1e-9 * greatest(1, abs(claimed_value), abs(" ~ value ~ "))" -%}
    case comparison
        when 'about' then abs({{ difference }}) <= tolerance + {{ slack }}
        when 'more_than' then {{ difference }} > {{ slack }} - tolerance
        when 'less_than' then {{ difference }} < tolerance - {{ slack }}
        when 'at_least' then {{ difference }} >= -tolerance - {{ slack }}
        when 'at_most' then {{ difference }} <= tolerance + {{ slack }}
        when 'in_year' then abs({{ difference }}) <= tolerance
    end
{%- endmacro %}

{# What other definitions of a measure come to, and which of them fit the claim; nothing where there are none. #}
{% macro other_definitions(definitions) -%}
    coalesce(' Counted otherwise: ' || nullif(concat_ws(', '
    {%- for words, column in definitions.items() -%}
        , '{{ words | replace("'", "''") }} ' || printf('%.1f', {{ column }}) || case when {{ claim_holds(column) }} then ' (fits)' else '' end
    {%- endfor -%}
    ), '') || '.', '')
{%- endmacro %}

{# A value in words, by its unit: 43.1%, 18.0 times, $439 billion, the highest since 2021. #}
{% macro in_words(value, unit) -%}
    case {{ unit }}
        when 'ratio' then {{ percent(value) }}
        when 'times' then printf('%.1f times', {{ value }})
        when 'usd' then case when {{ value }} < 0 then '-' else '' end || {{ dollars("abs(" ~ value ~ ")") }}
        when 'year' then printf('the highest since %.0f', {{ value }})
    end
{%- endmacro %}

{# What a claim says, in words: about 18.0 times, give or take 1.0. #}
{% macro claim_in_words() -%}
    case comparison
        when 'about' then 'about '
        when 'more_than' then 'more than '
        when 'less_than' then 'less than '
        when 'at_least' then 'at least '
        when 'at_most' then 'at most '
        else ''
    end || {{ in_words("claimed_value", "unit") }}
    || case
        when tolerance = 0 then ''
        else
            ', give or take ' || case unit
                when 'ratio' then printf('%.1f points', 100 * tolerance)
                when 'times' then printf('%.1f', tolerance)
                when 'usd' then {{ dollars("tolerance") }}
                when 'year' then printf('%.0f years', tolerance)
            end
    end
{%- endmacro %}

{# A template with each placeholder replaced by its text; NULL where a text that it needs is. #}
{% macro filled(texts, template) -%}
    {%- set ns = namespace(sql=template) -%}
    {%- for name, text in texts.items() -%}
        {%- set ns.sql = "replace(" ~ ns.sql ~ ", '{" ~ name ~ "}', coalesce(" ~ text ~ ", '{" ~ name ~ "}'))" -%}
    {%- endfor -%}
    case when not contains({{ ns.sql }}, '{') then {{ ns.sql }} end
{%- endmacro %}
