-- One price row a symbol and day: the latest version, on the latest split basis, with the correction of its close
-- beside the vendor's own.
with latest as (
    select *
    from {{ ref("stg_prices") }}
    {{ latest_version(["symbol", "date"]) }}
),

adjusted as (
    select
        latest.symbol,
        latest.date,
        latest.open / {{ split_factor() }} as open,
        latest.high / {{ split_factor() }} as high,
        latest.low / {{ split_factor() }} as low,
        latest.close / {{ split_factor() }} as close_vendor,
        round(latest.volume * {{ split_factor() }})::bigint as volume,
        latest.currency,
        latest.source
    from latest
    {{ split_factor_join("latest") }}
),

corrections as (
    select *
    from {{ ref("int_corrections") }}
    where field = 'close'
),

adjusted_corrections as (
    select
        corrections.symbol,
        corrections.date,
        corrections.value / {{ split_factor() }} as close
    from corrections
    {{ split_factor_join("corrections") }}
),

final as (
    select
        adjusted.symbol,
        adjusted.date,
        adjusted.open,
        adjusted.high,
        adjusted.low,
        coalesce(adjusted_corrections.close, adjusted.close_vendor) as close,
        adjusted.close_vendor,
        adjusted.volume,
        adjusted.currency,
        adjusted.source,
        coalesce(abs(adjusted_corrections.close / adjusted.close_vendor - 1) > 1e-9, false) as is_corrected
    from adjusted
    left join adjusted_corrections
        on adjusted.symbol = adjusted_corrections.symbol and adjusted.date = adjusted_corrections.date
)

select * from final
