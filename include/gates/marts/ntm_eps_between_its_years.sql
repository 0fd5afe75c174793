-- severity: critical
-- table: marts.fct_security_valuation_daily
-- why: Next-twelve-months earnings are a mean of two fiscal years: they lie between them.

select
    symbol,
    date,
    eps_fy1,
    eps_fy2,
    eps_ntm
from marts.fct_security_valuation_daily
where
    ntm_method = 'weighted'
    and (
        eps_ntm < least(eps_fy1, eps_fy2) - 1e-9 * abs(eps_ntm)
        or eps_ntm > greatest(eps_fy1, eps_fy2) + 1e-9 * abs(eps_ntm)
    )
