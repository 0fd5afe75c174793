{# Keeps the rows of units (batch and symbol) that gate 1 accepted or a person released. #}
{% macro of_usable_unit(symbol) -%}
    exists (
        select 1
        from {{ source("raw", "current_verdicts") }} as verdicts
        where
            verdicts.batch_id = batch_id
            and verdicts.symbol = {{ symbol }}
            and verdicts.verdict in ('accepted', 'released')
    )
{%- endmacro %}
