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

{# A value as its text has it, with so many digits more than usual: the usual ones are 43.1%, 18.0 times, $439 billion. #}
{% macro as_shown(value, unit, more_digits) -%}
    case {{ unit }}
        when 'ratio' then round({{ value }}, (3 + {{ more_digits }})::integer)
        when 'times' then round({{ value }}, (1 + {{ more_digits }})::integer)
        when 'usd' then round({{ value }}, ({{ more_digits }} - case when abs({{ value }}) < 999.5e6 then 6 else 9 end)::integer)
        else {{ value }}
    end
{%- endmacro %}

{# The fewest digits more than usual with which a condition on the shown value holds, at most eight. The condition names #}
{# the digits: more_digits. #}
{% macro fewest_digits(condition) -%}
    coalesce(list_filter(range(8), lambda more_digits: {{ condition }})[1], 8)
{%- endmacro %}

{# Digits of a value that a claim is held against: what is shown agrees with the claim where the value does, and where it #}
{# does not, it is no more the claimed figure itself than the value is. #}
{% macro digits_of_verdict(value, unit) -%}
    {%- set shown = as_shown(value, unit, "more_digits") -%}
    {{ fewest_digits(
        "(" ~ claim_holds(shown) ~ ") = (" ~ claim_holds(value) ~ ") and (" ~ claim_holds(value) ~ " or "
        ~ is_claimed_figure(shown) ~ " = " ~ is_claimed_figure(value) ~ ")"
    ) }}
{%- endmacro %}

{% macro is_claimed_figure(value) -%}
    (abs({{ value }} - claimed_value) <= 1e-9 * greatest(1, abs(claimed_value)))
{%- endmacro %}

{# Digits that show all of a number that a person wrote. #}
{% macro digits_of(value, unit) -%}
    {{ fewest_digits("abs(" ~ as_shown(value, unit, "more_digits") ~ " - " ~ value ~ ") <= 1e-9 * abs(" ~ value ~ ")") }}
{%- endmacro %}

{# What other definitions of a measure in times come to, and which of them fit the claim; nothing where there are none. #}
{% macro other_definitions(definitions) -%}
    coalesce(' Counted otherwise: ' || nullif(concat_ws(', '
    {%- for words, column in definitions.items() -%}
        , '{{ words | replace("'", "''") }} ' || {{ with_decimals(column, "1 + " ~ digits_of_verdict(column, "'times'")) }}
        || case when {{ claim_holds(column) }} then ' (fits)' else '' end
    {%- endfor -%}
    ), '') || '.', '')
{%- endmacro %}

{# A number with so many decimals. Adding zero takes the sign from a -0.0. #}
{% macro with_decimals(number, decimals) -%}
    printf('%.' || ({{ decimals }}) || 'f', round({{ number }}, ({{ decimals }})::integer) + 0)
{%- endmacro %}

{# A value in words, by its measure and unit: 43.1%, 53.5 points, 18.0 times, $439 billion, the highest since 2021. #}
{% macro in_words(value, more_digits) -%}
    case
        when unit = 'ratio'
            then {{ with_decimals("100 * " ~ value, "1 + " ~ more_digits) }} || case when starts_with(measure, 'excess_return') then ' points' else '%' end
        when unit = 'times' then {{ with_decimals(value, "1 + " ~ more_digits) }} || ' times'
        when unit = 'usd'
            then case when {{ value }} < 0 then '-' else '' end || {{ dollars("abs(" ~ value ~ ")", more_digits) }}
        when measure = 'record_high_date' then printf('last at a record in %.0f', {{ value }})
        when unit = 'year' then printf('the highest since %.0f', {{ value }})
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
    end || {{ in_words("claimed_value", digits_of("claimed_value", "unit")) }}
    || case
        when tolerance = 0 then ''
        else
            ', give or take ' || case unit
                when 'ratio' then {{ with_decimals("100 * tolerance", "1 + " ~ digits_of("tolerance", "unit")) }} || ' points'
                when 'times' then {{ with_decimals("tolerance", "1 + " ~ digits_of("tolerance", "unit")) }}
                when 'usd' then {{ dollars("tolerance", digits_of("tolerance", "unit")) }}
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
