-- severity: warning
-- table: marts.fct_basket_valuation_daily
-- why: Below {{ (100 * var("min_coverage_ratio")) | round | int }}% of market value the forward P/E is not a headline.

with last_day as (
    select *
    from marts.fct_basket_valuation_daily
    qualify date = max(date) over (partition by basket_id)
)

select
    basket_id,
    date,
    members_covered,
    members,
    coverage_ratio
from last_day
where coalesce(coverage_ratio, 0) < {{ var("min_coverage_ratio") }}
