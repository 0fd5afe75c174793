{# Fails on keys that occur twice. A NULL in a key counts as a value. #}
{% test unique_key(model, columns) %}
    select
        {{ columns | join(", ") }},
        count(*) as occurrences
    from {{ model }}
    group by {{ columns | join(", ") }}
    having count(*) > 1
{% endtest %}
