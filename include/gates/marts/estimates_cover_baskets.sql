-- severity: warning
-- table: marts.fct_basket_valuation_daily
-- why: Below {{ (100 * var("min_coverage_ratio")) | round | int }}% of its weight the forward P/E of a basket is not a headline.

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
    weight_covered
from last_day
where coalesce(weight_covered, 0) < {{ var("min_coverage_ratio") }}
