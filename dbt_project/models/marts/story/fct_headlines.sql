with headlines as (
    select * from {{ ref("int_basket_headlines") }}
    union all
    select * from {{ ref("int_basket_value_headlines") }}
    union all
    select * from {{ ref("int_comparison_headlines") }}
    union all
    select * from {{ ref("int_index_headlines") }}
)

select
    as_of,
    headline_id,
    subject,
    measure,
    value::double as value,
    value_text,
    value_date,
    unit,
    {% if var("source") == "sample" %}'Simulated: ' || {% endif %}upper(sentence[1]) || sentence[2:] as sentence,
    {{ "true" if var("source") == "sample" else "false" }} as is_simulated
from headlines
where as_of - value_date <= {{ var("max_headline_age_days") }}
