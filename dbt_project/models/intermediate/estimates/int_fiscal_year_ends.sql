-- The fiscal year ends that estimates name, each as it first came, with the one before it: in its snapshot, or the
-- first of the snapshot before. Where whole years do not lie between the two, give or take the slack, the year that
-- ends there is a transition year.
with ends as (
    select
        symbol,
        as_of,
        period_end,
        lag(period_end) over (partition by symbol, as_of order by period_end) as end_before
    from {{ ref("int_estimates_split_adjusted") }}
    where metric = 'eps' and period_type = 'annual'
),

first_ends as (
    select
        symbol,
        as_of,
        lag(period_end) over (partition by symbol order by as_of) as end_before
    from ends
    where end_before is null
),

first_named as (
    select
        ends.symbol,
        ends.period_end,
        ends.as_of,
        coalesce(ends.end_before, first_ends.end_before) as end_before
    from ends
    left join first_ends on ends.symbol = first_ends.symbol and ends.as_of = first_ends.as_of
    qualify row_number() over (partition by ends.symbol, ends.period_end order by ends.as_of) = 1
)

select
    symbol,
    period_end,
    as_of,
    end_before,
    coalesce(
        abs((period_end - end_before) - 365.25 * round((period_end - end_before) / 365.25)) > {{ var("fiscal_year_slack_days") }},
        false
    ) as is_transition_year
from first_named
