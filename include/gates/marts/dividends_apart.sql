{% set min_days_apart = 7 %}
-- severity: warning
-- table: marts.fct_corporate_actions
-- why: Two dividends within {{ min_days_apart }} days are more likely one that came twice, or its gross and its net:
--   both count as the vendor gives them; a correction of dividend to 0 in vendor_corrections.csv takes one out.

with dividends as (
    select
        *,
        lag(date) over history as date_before,
        lag(value) over history as value_before
    from marts.fct_corporate_actions
    where action = 'dividend' and value > 0
    window history as (partition by symbol order by date)
)

select
    symbol,
    date,
    value,
    date_before,
    value_before
from dividends
where date - date_before <= {{ min_days_apart }}
