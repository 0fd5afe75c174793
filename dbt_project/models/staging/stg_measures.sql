-- A measure of each period has a row a period.
with periods as (
    select unnest({{ var("periods") }}) as period
)

select distinct
    measures.subject_kind,
    replace(measures.measure, '{period}', periods.period) as measure,
    measures.unit
from {{ ref("measures") }} as measures
cross join periods
