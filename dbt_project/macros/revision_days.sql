{# Over how many days an estimate's revision is told. #}
{% macro revision_days() %}{{ return([7, 30, 90]) }}{% endmacro %}
