-- Splits as they count: the vendor's latest version, or a correction. A ratio of 4 means four new shares for one old.
-- A point-in-time build holds later splits too, not `is_known`: they only undo themselves in values that a vendor has
-- adjusted for them since.
with vendor as (
    select
        symbol,
        date as ex_date,
        value as ratio_vendor,
        source
    from {{ ref("stg_corporate_actions") }}
    where action = 'split'
    {{ latest_version(["symbol", "date"]) }}
),

corrections as (
    select
        symbol,
        date as ex_date,
        value as ratio,
        source
    from {{ ref("int_corrections") }}
    where field = 'split_ratio'
),

final as (
    select
        coalesce(corrections.symbol, vendor.symbol) as symbol,
        coalesce(corrections.ex_date, vendor.ex_date) as ex_date,
        coalesce(corrections.ratio, vendor.ratio_vendor) as ratio,
        nullif(vendor.ratio_vendor, 0) as ratio_vendor,
        coalesce(corrections.ratio <> vendor.ratio_vendor, corrections.ratio is not null) as is_corrected,
        coalesce(vendor.source, corrections.source) as source
    from vendor
    full outer join corrections
        on vendor.symbol = corrections.symbol and vendor.ex_date = corrections.ex_date
)

select
    *,
    {{ dated_by_then("ex_date") }} as is_known
from final
where ratio > 0 and ratio <> 1
