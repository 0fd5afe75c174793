-- Bounds are compared with a slack of a billionth, so that a value exactly at its bound counts as at it, whatever its
-- last binary digit.
with differences as (
    select
        *,
        value - claimed_value as difference,
        1e-9 * greatest(1, abs(claimed_value), abs(value)) as slack
    from {{ ref("int_press_values") }}
),

judged as (
    select
        *,
        case comparison
            when 'about' then abs(difference) <= tolerance + slack
            when 'more_than' then difference > slack - tolerance
            when 'less_than' then difference < tolerance - slack
            when 'at_least' then difference >= -tolerance - slack
            when 'at_most' then difference <= tolerance + slack
            when 'in_year' then abs(difference) <= tolerance
        end as holds
    from differences
)

select
    claim_id,
    evaluated_at,
    claim_date,
    subject,
    subject_name,
    measure,
    comparison,
    claimed_value,
    tolerance,
    unit,
    value_date,
    value,
    difference,
    case
        when holds then 'agrees'
        when not holds then 'differs'
        -- At a record of data that reach back before the claimed year, no close of that year was as high.
        when measure = 'highest_since' and has_own_level and year(first_date) < claimed_value then 'differs'
        else 'not_computable'
    end as verdict,
    reason,
    statement,
    {{ "true" if var("source") == "sample" else "false" }} as is_simulated
from judged
