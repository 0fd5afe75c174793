{# Share of a basket's market value that must have estimates before its forward P/E is told as a headline. #}
{% macro minimum_coverage() %}0.8{% endmacro %}
