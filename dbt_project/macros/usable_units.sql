{# Keeps the rows of units (batch and symbol) that gate 1 accepted or a person released. #}
{% macro of_usable_unit(symbol) -%}
    (batch_id, {{ symbol }}) in (
        select
            verdicts.batch_id,
            verdicts.symbol
        from {{ source("raw", "current_verdicts") }} as verdicts
        where verdicts.verdict in ('accepted', 'released')
    )
{%- endmacro %}
