{# The parts of a template of the seed headline_templates, split before each placeholder and with it filled in from the #}
{# columns of a headline. A part is NULL where its placeholder is unknown or its column is empty. #}
{% macro filled_parts(template) -%}
    {%- set texts = {
        "subject": "subject_name",
        "subject_inside": in_sentence("subject_name"),
        "other_inside": in_sentence("other_name"),
        "event": "event_name",
        "percent": percent("abs(value)"),
        "signed_percent": percent("value"),
        "points": "printf('%.1f', abs(100 * value))",
        "signed_points": "printf('%.1f', round(100 * value, 1) + 0)",
        "dollars": dollars("abs(value)"),
        "signed_dollars": "case when value < 0 then '-' else '' end || " ~ dollars("abs(value)"),
        "times": "printf('%.1f', value)",
        "date": long_date("value_date"),
        "year": "year(value_date)::varchar",
        "base_date": long_date("base_date"),
        "iso_base_date": "strftime(base_date, '%Y-%m-%d')",
        "data_since": long_date("data_since"),
        "level": "format('{:,.2f}', level)",
        "known": "known::varchar",
        "members": "members::varchar",
        "other_known": "other_known::varchar",
        "other_members": "other_members::varchar",
        "coverage": percent_short_of("coverage_ratio"),
        "min_coverage": percent(var("min_coverage_ratio")),
        "near_correction": whole_percent(var("near_correction_drawdown")),
        "correction": whole_percent(var("correction_drawdown")),
        "bear": whole_percent(var("bear_drawdown")),
    } -%}
    list_transform(
        string_split({{ template }}, '{'),
        lambda part: case
            when not contains(part, '}') then part
            else
                case split_part(part, '}', 1)
                    {%- for name, text in texts.items() %}
                        when '{{ name }}' then {{ text }}
                    {%- endfor %}
                end || split_part(part, '}', 2)
        end
    )
{%- endmacro %}

{# A day as a sentence writes it: 7 March 2025. #}
{% macro long_date(date) -%}
    strftime({{ date }}, '%-d %B %Y')
{%- endmacro %}

{# A ratio as a percentage with one decimal: 43.1%. Adding zero takes the sign from a -0.0. #}
{% macro percent(ratio) -%}
    printf('%.1f%%', round(100 * ({{ ratio }}), 1) + 0)
{%- endmacro %}

{# A share that falls short of what is needed, as a percentage rounded down: 79.9% and never the 80.0% that would do. #}
{% macro percent_short_of(ratio) -%}
    printf('%.1f%%', floor(1000 * ({{ ratio }}) + 1e-9) / 10)
{%- endmacro %}

{# A ratio of whole percents: 9%. #}
{% macro whole_percent(ratio) -%}
    printf('%.0f%%', 100 * {{ ratio }})
{%- endmacro %}

{# US dollars in billions, $439 billion, or below one in millions, with so many decimals. #}
{% macro dollars(usd, decimals=0) -%}
    case
        when {{ usd }} = 0 then '$0'
        when {{ usd }} < 999.5e6 then format('${:,.' || ({{ decimals }}) || 'f} million', {{ usd }} / 1e6)
        else format('${:,.' || ({{ decimals }}) || 'f} billion', {{ usd }} / 1e9)
    end
{%- endmacro %}

{# A name that begins with an article, inside a sentence: of the Magnificent Seven. #}
{% macro in_sentence(name) -%}
    case when starts_with({{ name }}, 'The ') then 'the ' || {{ name }}[5:] else {{ name }} end
{%- endmacro %}

{# Whether a change is up, down or, where it prints as 0.0%, flat. #}
{% macro direction(ratio) -%}
    case when round(1000 * {{ ratio }}) = 0 then 'flat' when {{ ratio }} > 0 then 'up' else 'down' end
{%- endmacro %}
