{# The last day whose close may be the base of `period` for the day `date`. DuckDB clamps the ends of months. #}
{% macro period_target(period, date) -%}
    {%- set targets = {
        "1d": "(" ~ date ~ " - 1)",
        "wtd": "(date_trunc('week', " ~ date ~ ")::date - 1)",
        "mtd": "(date_trunc('month', " ~ date ~ ")::date - 1)",
        "qtd": "(date_trunc('quarter', " ~ date ~ ")::date - 1)",
        "ytd": "(date_trunc('year', " ~ date ~ ")::date - 1)",
        "1m": "(" ~ date ~ " - interval 1 month)::date",
        "3m": "(" ~ date ~ " - interval 3 month)::date",
        "6m": "(" ~ date ~ " - interval 6 month)::date",
        "1y": "(" ~ date ~ " - interval 1 year)::date",
        "3y": "(" ~ date ~ " - interval 3 year)::date",
        "5y": "(" ~ date ~ " - interval 5 year)::date"
    } -%}
    {%- if period not in targets -%}
        {{ exceptions.raise_compiler_error("There is no period " ~ period ~ ": use one of " ~ var("periods") | join(", ")) }}
    {%- endif -%}
    {{ targets[period] }}
{%- endmacro %}
