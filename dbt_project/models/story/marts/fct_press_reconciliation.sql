with differences as (
    select
        *,
        value - claimed_value as difference
    from {{ ref("int_press_values") }}
),

judged as (
    select
        *,
        {{ claim_holds("value") }} as holds
    from differences
),

verdicts as (
    select
        *,
        case
            when holds then 'agrees'
            when not holds then 'differs'
            -- At a record of data that reach back before the claimed year, no close of that year was as high.
            when measure = 'highest_since' and has_own_level and year(first_date) < claimed_value then 'differs'
            else 'not_computable'
        end as verdict
    from judged
),

digits as (
    select
        *,
        {{ digits_of_verdict("value", "unit") }} as more_digits
    from verdicts
),

worded as (
    select
        *,
        {{ claim_in_words() }} as claimed_text,
        {{ in_words("value", "more_digits") }} as value_text,
        {{ other_definitions({
            "by the basket's own weights": "forward_pe_basket_weighted",
            "with equal weights": "forward_pe_equal_weight",
            "the median": "forward_pe_median",
        }) }} as other_definitions
    from digits
),

-- A claim is held against two closes, and each says what came of the other.
paired as (
    select
        one.*,
        two.value_text as other_value_text,
        two.value_date as other_date,
        coalesce(two.verdict = 'agrees', false) as is_other_close_right
    from worded as one
    left join worded as two on one.claim_id = two.claim_id and one.evaluated_at <> two.evaluated_at
)

select
    paired.claim_id,
    paired.evaluated_at,
    paired.claim_date,
    paired.subject,
    paired.subject_name,
    baskets.basket_id,
    baskets.name as basket_name,
    comparators.basket_id as comparator_basket_id,
    comparators.name as comparator_name,
    securities.symbol,
    securities.name as security_name,
    paired.measure,
    paired.comparison,
    paired.claimed_value,
    paired.claimed_text,
    paired.tolerance,
    paired.unit,
    paired.value_date,
    paired.value,
    paired.value_text,
    paired.difference,
    paired.verdict,
    paired.reason,
    {{ filled({
        "date": long_date("paired.value_date"),
        "value": "coalesce(paired.value_text, paired.reason)",
        "claimed": "paired.claimed_text",
        "other_date": long_date("paired.other_date"),
        "other_value": "paired.other_value_text",
        "reason": "paired.reason",
    }, "templates.sentence") }} || paired.other_definitions as explanation,
    paired.statement,
    paired.claim_source,
    {{ "true" if var("source") == "sample" else "false" }} as is_simulated
from paired
left join {{ ref("baskets") }} as baskets on split_part(paired.subject, ' vs ', 1) = baskets.basket_id
left join {{ ref("baskets") }} as comparators on split_part(paired.subject, ' vs ', 2) = comparators.basket_id
left join {{ ref("securities") }} as securities on paired.subject = securities.symbol
left join {{ ref("verdict_templates") }} as templates
    on paired.verdict = templates.verdict and paired.is_other_close_right = templates.is_other_close_right
