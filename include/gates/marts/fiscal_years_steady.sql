-- severity: warning
-- table: intermediate.int_fiscal_year_ends
-- why: A company has moved the end of its fiscal year, or the vendor names a wrong one. The year that ends there is not
--   twelve months long: while it is the running one there is no forward P/E.

select
    symbol,
    as_of,
    end_before as before,
    period_end as after
from intermediate.int_fiscal_year_ends
where
    is_transition_year
    and greatest(period_end, as_of + {{ var("max_estimate_age_days") }})
    >= (select max(valuations.date) from marts.fct_security_valuation_daily as valuations)
