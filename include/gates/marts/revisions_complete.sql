-- severity: critical
-- table: marts.fct_estimate_revisions
-- why: Every estimate has its row, and mean less change is the mean of the snapshot that the change names as its base.

select
    estimates.symbol,
    estimates.as_of,
    estimates.period_type,
    estimates.period_end,
    revisions.change_7d,
    revisions.base_as_of_7d
from marts.fct_estimate_snapshots as estimates
left join marts.fct_estimate_revisions as revisions
    on
        estimates.symbol = revisions.symbol
        and estimates.as_of = revisions.as_of
        and estimates.metric = revisions.metric
        and estimates.period_type = revisions.period_type
        and estimates.period_end = revisions.period_end
left join marts.fct_estimate_snapshots as base
    on
        revisions.symbol = base.symbol
        and revisions.base_as_of_7d = base.as_of
        and revisions.metric = base.metric
        and revisions.period_type = base.period_type
        and revisions.period_end = base.period_end
where
    revisions.symbol is null
    or (revisions.change_7d is null) <> (base.mean is null)
    or abs(estimates.mean - revisions.change_7d - base.mean) > 1e-9 * greatest(abs(base.mean), abs(estimates.mean))
