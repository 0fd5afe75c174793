-- Splits as they count: the vendor's latest word, a correction over it. A ratio of 4 means four new shares for one old.
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
        corrections.symbol,
        corrections.date as ex_date,
        corrections.value as ratio,
        any_value(prices.source) as source
    from {{ ref("vendor_corrections") }} as corrections
    inner join {{ ref("stg_prices") }} as prices
        on corrections.symbol = prices.symbol and corrections.date = prices.date
    where corrections.field = 'split_ratio'
    group by all
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

select *
from final
where ratio > 0 and ratio <> 1
