{# Rows of a seed may be shorter than its header: what is missing at the end is empty. dbt-duckdb's own macro refuses them, #}
{# and DuckDB cannot guess how such a file is written. #}
{% macro duckdb__load_csv_rows(model, agate_table) %}
    {% set sql %}
        copy {{ this.render() }} from '{{ adapter.get_seed_file_path(model) | replace("'", "''") }}' (
            format csv, auto_detect false, header true, delimiter ',', quote '"', escape '"', null_padding true, parallel false
        )
    {% endset %}
    {% do adapter.add_query(sql, abridge_sql_log=True) %}
    {{ return(sql) }}
{% endmacro %}

{# Columns that a seed may lack altogether, as those do that were written before the columns came: NULL then. #}
{% macro optional_columns(seed, names) -%}
    {%- set found = adapter.get_columns_in_relation(seed) | map(attribute="name") | list if execute else [] -%}
    {%- for name in names %}
    {{ name if name in found else "null::varchar as " ~ name }}{% if not loop.last %},{% endif %}
    {%- endfor -%}
{%- endmacro %}
