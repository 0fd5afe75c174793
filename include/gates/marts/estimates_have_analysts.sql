-- severity: warning
-- table: marts.fct_estimate_snapshots
-- why: An estimate of no analyst: it counts as the vendor gives it, but ask where it comes from.

with newest as (
    select *
    from marts.fct_estimate_snapshots
    qualify as_of = max(as_of) over (partition by symbol)
)

select
    symbol,
    as_of,
    period_end,
    mean
from newest
where analyst_count = 0
