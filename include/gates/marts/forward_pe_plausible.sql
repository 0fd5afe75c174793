{% set min_forward_pe = 3 %}
-- severity: warning
-- table: marts.fct_security_valuation_daily
-- why: A price of less than {{ min_forward_pe }} years' earnings: an estimate per depositary receipt, in another unit
--   or under the wrong currency looks like this.

with last_day as (
    select *
    from marts.fct_security_valuation_daily
    qualify date = max(date) over (partition by symbol)
)

select
    symbol,
    date,
    forward_pe,
    eps_ntm,
    estimate_as_of
from last_day
where forward_pe < {{ min_forward_pe }}
