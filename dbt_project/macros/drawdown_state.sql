{# The name of a distance from the record: at_high, pullback, near_correction (from -9%), correction (from -10%), bear (from -20%). #}
{# Rounded first: in binary, 90 / 100 - 1 lies a hair above -0.10. #}
{% macro drawdown_state(drawdown) -%}
    case
        when {{ drawdown }} >= 0 then 'at_high'
        when round({{ drawdown }}, 12) > -0.09 then 'pullback'
        when round({{ drawdown }}, 12) > -0.10 then 'near_correction'
        when round({{ drawdown }}, 12) > -0.20 then 'correction'
        when round({{ drawdown }}, 12) <= -0.20 then 'bear'
    end
{%- endmacro %}
