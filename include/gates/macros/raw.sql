{# A split that shows in a series: smaller ones, and ratios below 0.001, are left to the other checks. #}
{% macro is_large_split(ratio) -%}
    ({{ ratio }} >= 1.4 or {{ ratio }} between 0.001 and 0.7)
{%- endmacro %}

{# The pending units of a step from one row to the next, as `involved.batch_id`: either row may be the wrong one. #}
{% macro involved_units(step) -%}
    unnest([
        case when {{ step }}.is_pending then {{ step }}.batch_id end,
        case when {{ step }}.previous_is_pending then {{ step }}.previous_batch_id end
    ]) as involved (batch_id)
{%- endmacro %}

{# So many closes restated alike are no corrections of single days. #}
{% macro min_restated_sessions() %}5{% endmacro %}

{# About 10% in a day. #}
{% macro fx_jump_log_return() %}0.1{% endmacro %}

{# Whether a row of a raw table belongs to a unit that is still to be judged. #}
{% macro is_pending(symbol="symbol") -%}
    (batch_id, {{ symbol }}) in (select (units.batch_id, units.symbol) from quality.pending_units as units)
{%- endmacro %}

{# Whether the unit of a row of a raw table is accepted, released or still to be judged. #}
{% macro is_not_quarantined(symbol="symbol") -%}
    (batch_id, {{ symbol }}) not in (
        select (verdicts.batch_id, verdicts.symbol)
        from raw.current_verdicts as verdicts
        where verdicts.verdict = 'quarantined'
    )
{%- endmacro %}

{# The product of the ratios of the splits after a row's basis date. #}
{% macro later_splits(row, basis_date="basis_date") -%}
    coalesce((
        select product(splits.ratio)
        from quality.splits as splits
        where splits.symbol = {{ row }}.symbol and splits.ex_date > {{ row }}.{{ basis_date }}
    ), 1)
{%- endmacro %}
