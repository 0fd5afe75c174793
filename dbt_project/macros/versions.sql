{# The order of a row's versions. Load, gate 1 and retention read this file too (include/raw/versions.py). #}
{# No two batches of a dataset land at the same time, so the order is always the same. #}
{% macro version_order(row="") -%}
    {%- set prefix = row ~ "." if row else "" -%}
    ({{ prefix }}fetched_at, {{ prefix }}landed_at)
{%- endmacro %}

{# The version of a row that counts: the last one. #}
{% macro latest_version(keys, row="") -%}
    qualify row_number() over (partition by {{ keys | join(", ") }} order by {{ version_order(row) }} desc) = 1
{%- endmacro %}
