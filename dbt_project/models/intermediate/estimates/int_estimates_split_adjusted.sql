-- Estimates, latest version of each snapshot row, on the latest split basis.
with latest as (
    select *
    from {{ ref("stg_estimates") }}
    {{ latest_version(["symbol", "as_of", "metric", "period_type", "period_end"]) }}
)

select
    latest.symbol,
    latest.as_of,
    latest.metric,
    latest.period_type,
    latest.period_end,
    latest.period_label,
    latest.mean / {{ split_factor() }} as mean,
    latest.low / {{ split_factor() }} as low,
    latest.high / {{ split_factor() }} as high,
    latest.analyst_count,
    latest.currency,
    latest.note,
    latest.source
from latest
{{ split_factor_join("latest") }}
