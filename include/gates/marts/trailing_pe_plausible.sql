{% set min_trailing_pe = 3 %}
-- severity: warning
-- table: marts.fct_security_fundamentals
-- why: A price of less than {{ min_trailing_pe }} years' earnings: earnings per depositary receipt, in another unit or
--   under the wrong currency look like this.

with last_day as (
    select *
    from marts.fct_security_fundamentals
    qualify as_of = max(as_of) over (partition by symbol)
)

select
    symbol,
    as_of,
    trailing_pe,
    eps_ttm,
    eps_period_end
from last_day
where trailing_pe < {{ min_trailing_pe }}
