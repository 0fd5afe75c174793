{% set highest_median = 0.15 %}
-- severity: critical
-- table: quality.candidate_risk_free
-- why: Rates of which half are above {{ highest_median }} are likely in per cent, of a time with rates between 0.15% and 1%:
--   no currency of a large market has had 15% for long since the 1980s. One that has it is released once.

with medians as (
    select
        batch_id,
        symbol,
        median(rate) as median_rate
    from quality.candidate_risk_free
    where is_pending
    group by batch_id, symbol
)

select
    batch_id,
    symbol,
    'half of the rates are ' || round(median_rate, 4) || ' or more: write 0.2% as 0.002' as detail
from medians
where
    median_rate > {{ highest_median }}
    and symbol not in (
        select known.currency
        from raw.risk_free as known
        where
            known.rate > {{ highest_median }}
            and {{ is_not_quarantined("known.currency") }}
            and not {{ is_pending("known.currency") }}
    )
