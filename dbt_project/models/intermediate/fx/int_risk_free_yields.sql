-- Risk-free rates as yields a year of 365 days, the latest version of each. A bill's discount is off its face value and
-- of a year of 360 days, so its yield is higher (docs/METHODS.md).
with latest as (
    select
        *,
        regexp_extract(tenor, '^\d+')::integer as tenor_count,
        right(tenor, 1) as tenor_unit
    from {{ ref("stg_risk_free") }}
    {{ latest_version(["currency", "tenor", "date"]) }}
),

counted as (
    select
        *,
        round(tenor_count * case tenor_unit when 'd' then 1 when 'w' then 7 when 'm' then 365.0 / 12 when 'y' then 365 end)::integer
            as tenor_days
    from latest
)

select
    currency,
    tenor,
    tenor_days,
    date,
    rate as rate_quoted,
    quote_basis,
    case quote_basis
        when 'yield' then rate
        when 'discount' then 365 * rate / (360 - rate * tenor_days)
    end as risk_free_rate,
    source
from counted
