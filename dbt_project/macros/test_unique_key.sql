{# Fails on keys of a model that occur twice. The key is the model's meta.key; a NULL in it counts as a value. #}
{% test unique_key(model) %}
    {%- set key = model_key(model.identifier) | join(", ") %}
    select
        {{ key }},
        count(*) as occurrences
    from {{ model }}
    group by {{ key }}
    having count(*) > 1
{% endtest %}

{# The key columns that a model's YAML gives it. dbt knows them once it has read every file. #}
{% macro model_key(name) -%}
    {%- if execute -%}
        {%- set node = graph.nodes.values() | selectattr("resource_type", "equalto", "model") | selectattr("name", "equalto", name) | first -%}
        {{ return(node.config.meta.key) }}
    {%- endif -%}
    {{ return([]) }}
{%- endmacro %}
