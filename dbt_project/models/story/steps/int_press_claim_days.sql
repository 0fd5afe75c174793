-- Each claim twice, with the session of its subject that it is held against: the last one on or before the claim's day,
-- and the one before that.
{% set claim_columns = [
    "claim_id", "claim_date", "subject", "measure", "comparison", "claimed_value", "tolerance", "unit", "statement",
    "claim_source",
] %}

with claims as (
    select * from {{ ref("stg_press_claims") }}
),

-- The claim's basket, equity or index, or both baskets of its pair: a pair's data reach as far as those of the slower
-- of the two.
subjects as (
    select
        claims.claim_id,
        string_agg(subjects.subject_name, ' vs ' order by strpos(claims.subject, subjects.subject_id || ' vs ') = 0) as subject_name,
        any_value(subjects.subject_kind) as subject_kind,
        min(subjects.complete_until) as complete_until
    from claims
    inner join {{ ref("int_story_subjects") }} as subjects on list_contains(string_split(claims.subject, ' vs '), subjects.subject_id)
    group by claims.claim_id
),

days as (
    select
        subject_id as subject,
        date,
        has_own_level
    from {{ ref("int_story_levels") }}
    union all
    select
        basket_id || ' vs ' || comparator_basket_id as subject,
        date,
        true as has_own_level
    from {{ ref("fct_basket_comparison_daily") }}
    where currency_basis = 'local' and return_type = 'price'
),

sessions as (
    select
        *,
        lag(date) over in_order as date_before,
        lag(has_own_level) over in_order as has_own_level_before
    from days
    where subject in (select claims.subject from claims)
    window in_order as (partition by subject order by date)
),

first_days as (
    select
        subject,
        min(date) as first_date
    from sessions
    group by subject
),

matched as (
    select
        claims.*,
        subjects.subject_name,
        case when contains(claims.subject, ' vs ') then 'pair' else subjects.subject_kind end as subject_kind,
        first_days.first_date,
        subjects.complete_until,
        sessions.date,
        sessions.has_own_level,
        sessions.date_before,
        sessions.has_own_level_before,
        claims.claim_date <= subjects.complete_until and claims.claim_date - sessions.date <= {{ var("max_headline_age_days") }} as is_in_data
    from claims
    inner join subjects on claims.claim_id = subjects.claim_id
    left join first_days on claims.subject = first_days.subject
    asof left join sessions on claims.subject = sessions.subject and claims.claim_date >= sessions.date
),

evaluations as (
    select unnest(['claim_date', 'session_before']) as evaluated_at
)

select
    {% for column in claim_columns %}matched.{{ column }},
    {% endfor %}
    matched.subject_name,
    matched.subject_kind,
    matched.first_date,
    matched.complete_until,
    evaluations.evaluated_at,
    case
        when not matched.is_in_data then null
        when evaluations.evaluated_at = 'claim_date' then matched.date
        when matched.claim_date - matched.date_before <= {{ var("max_headline_age_days") }} then matched.date_before
    end as value_date,
    matched.is_in_data
    and case when evaluations.evaluated_at = 'claim_date' then matched.has_own_level else matched.has_own_level_before end as has_own_level
from matched
cross join evaluations
