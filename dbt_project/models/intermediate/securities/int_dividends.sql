-- Dividends as they count: the vendor's latest version or a correction, on the latest split basis, in the currency of
-- the price.
with vendor as (
    select
        symbol,
        date,
        value,
        currency,
        basis_date,
        source
    from {{ ref("stg_corporate_actions") }}
    where action = 'dividend'
    {{ latest_version(["symbol", "date"]) }}
),

adjusted as (
    select
        vendor.symbol,
        vendor.date,
        vendor.value / {{ split_factor() }} as value,
        vendor.currency,
        vendor.source
    from vendor
    {{ split_factor_join("vendor") }}
),

corrections as (
    select *
    from {{ ref("int_corrections") }}
    where field = 'dividend'
),

adjusted_corrections as (
    select
        corrections.symbol,
        corrections.date,
        corrections.value / {{ split_factor() }} as value,
        corrections.currency,
        corrections.source
    from corrections
    {{ split_factor_join("corrections") }}
),

chosen as (
    select
        coalesce(adjusted_corrections.symbol, adjusted.symbol) as symbol,
        coalesce(adjusted_corrections.date, adjusted.date) as date,
        coalesce(adjusted_corrections.value, adjusted.value) as value,
        coalesce(adjusted_corrections.currency, adjusted.currency) as currency,
        nullif(adjusted.value, 0) as value_vendor,
        coalesce(adjusted_corrections.value <> adjusted.value, adjusted_corrections.value is not null) as is_corrected,
        coalesce(adjusted.source, adjusted_corrections.source) as source
    from adjusted
    full outer join adjusted_corrections
        on adjusted.symbol = adjusted_corrections.symbol and adjusted.date = adjusted_corrections.date
),

final as (
    select
        chosen.symbol,
        chosen.date,
        chosen.value,
        chosen.value_vendor,
        chosen.currency,
        chosen.is_corrected,
        chosen.source,
        securities.currency as price_currency,
        case
            when chosen.currency = securities.currency then chosen.value
            else chosen.value / declared.units_per_usd * traded.units_per_usd
        end as value_in_price_currency
    from chosen
    inner join {{ ref("securities") }} as securities on chosen.symbol = securities.symbol
    left join {{ ref("int_fx_daily") }} as declared on chosen.currency = declared.currency and chosen.date = declared.date
    left join {{ ref("int_fx_daily") }} as traded on securities.currency = traded.currency and chosen.date = traded.date
    where chosen.value > 0
)

select * from final
