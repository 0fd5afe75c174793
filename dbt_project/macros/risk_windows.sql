{# The frame over the last `number` cycles (day, week or month) up to each row, for `order by` the start of the cycle. #}
{# A day is a row; a week or month without a row counts too. #}
{% macro last_cycles(cycle, number) -%}
    {%- if cycle == "day" -%}
        rows between {{ number - 1 }} preceding and current row
    {%- else -%}
        range between interval {{ number - 1 }} {{ cycle }} preceding and current row
    {%- endif -%}
{%- endmacro %}

{# The windows that have a Sharpe ratio, quoted: those of weeks or months. #}
{% macro sharpe_windows() -%}
    {%- for name, risk_window in var("risk_windows").items() if risk_window.cycle != "day" -%}
        '{{ name }}'{{ ", " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# Whether the base of a cycle's return, the close of a cycle before, is recent enough: as for returns of periods. #}
{% macro is_recent_base(base_date, cycle_start) -%}
    {{ base_date }} >= {{ cycle_start }} - 1 - {{ var("max_base_age_days") }}
{%- endmacro %}
