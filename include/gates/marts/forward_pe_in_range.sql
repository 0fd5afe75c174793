-- severity: critical
-- table: marts.fct_security_valuation_daily
-- why: A forward P/E above zero belongs to expected earnings above zero.

select
    symbol,
    date,
    forward_pe
from marts.fct_security_valuation_daily
where forward_pe <= 0 or (forward_pe is not null and eps_ntm <= 0)
