{# The state of an index by its distance from the record: at_high, pullback, near_correction, correction or bear. #}
{# Rounded first: in binary, 90 / 100 - 1 lies a hair above -0.10. #}
{% macro drawdown_state(drawdown) -%}
    case
        when {{ drawdown }} >= 0 then 'at_high'
        when round({{ drawdown }}, 12) > -{{ var("near_correction_drawdown") }} then 'pullback'
        when round({{ drawdown }}, 12) > -{{ var("correction_drawdown") }} then 'near_correction'
        when round({{ drawdown }}, 12) > -{{ var("bear_drawdown") }} then 'correction'
        when round({{ drawdown }}, 12) <= -{{ var("bear_drawdown") }} then 'bear'
    end
{%- endmacro %}
