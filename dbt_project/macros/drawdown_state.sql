{# The name of a distance from the record: at_high, pullback, near_correction (from -9%), correction (from -10%), bear (from -20%). #}
{% macro drawdown_state(drawdown) -%}
    case
        when {{ drawdown }} >= 0 then 'at_high'
        when {{ drawdown }} > -0.09 then 'pullback'
        when {{ drawdown }} > -0.10 then 'near_correction'
        when {{ drawdown }} > -0.20 then 'correction'
        when {{ drawdown }} <= -0.20 then 'bear'
    end
{%- endmacro %}
