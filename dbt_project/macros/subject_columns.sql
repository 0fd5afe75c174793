{# Columns of a table on baskets and securities alike, named as in the tables on one of them: NULL in the rows of the other. #}
{% macro subject_columns() -%}
    case when subject_kind = 'basket' then subject_id end as basket_id,
    case when subject_kind = 'basket' then subject_name end as basket_name,
    case when subject_kind <> 'basket' then subject_id end as symbol,
    case when subject_kind <> 'basket' then subject_name end as security_name
{%- endmacro %}
