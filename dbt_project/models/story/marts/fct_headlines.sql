with headlines as (
    select * from {{ ref("int_basket_headlines") }}
    union all by name
    select * from {{ ref("int_basket_value_headlines") }}
    union all by name
    select * from {{ ref("int_comparison_headlines") }}
    union all by name
    select * from {{ ref("int_index_headlines") }}
),

worded as (
    select
        headlines.*,
        measures.unit,
        templates.value_text as value_template,
        templates.sentence as sentence_template
    from headlines
    left join {{ ref("stg_measures") }} as measures
        on headlines.subject_kind = measures.subject_kind and headlines.measure = measures.measure
    left join {{ ref("headline_templates") }} as templates
        on
            headlines.subject_kind = templates.subject_kind
            and headlines.measure = templates.measure
            and headlines.outcome = templates.outcome
    where headlines.as_of - headlines.value_date <= {{ var("max_headline_age_days") }}
),

filled as (
    select
        as_of,
        subject,
        coalesce(basket_id, case when subject_kind = 'basket' then subject end) as basket_id,
        case when subject_kind in ('basket', 'pair') then subject_name end as basket_name,
        comparator_basket_id,
        other_name as comparator_name,
        case when subject_kind = 'index' then subject end as symbol,
        case when subject_kind = 'index' then subject_name end as security_name,
        coalesce('return_since_' || event_id, measure) as measure,
        value::double as value,
        value_date,
        unit,
        {{ filled_parts("value_template") }} as value_parts,
        {{ filled_parts("sentence_template") }} as sentence_parts
    from worded
),

-- A text with an empty placeholder is none, and gate 2 refuses a headline without one.
joined as (
    select
        *,
        case when list_count(value_parts) = len(value_parts) then array_to_string(value_parts, '') end as value_text,
        case when list_count(sentence_parts) = len(sentence_parts) then array_to_string(sentence_parts, '') end as sentence
    from filled
)

select
    as_of,
    subject || '_' || measure as headline_id,
    subject,
    basket_id,
    basket_name,
    comparator_basket_id,
    comparator_name,
    symbol,
    security_name,
    measure,
    value,
    value_text,
    value_date,
    unit,
    {% if var("source") == "sample" %}'Simulated: ' || {% endif %}upper(sentence[1]) || sentence[2:] as sentence,
    {{ "true" if var("source") == "sample" else "false" }} as is_simulated
from joined
