-- Dividends as they count: the vendor's latest version or a correction, on the latest split basis, in the currency of
-- the price. What of a dividend is special, no vendor says: a correction does, in the currency of the announcement. One
-- of nearly the dividend or of more is all of it: the company and the vendor convert at rates of different days.
{% set nearly_all = 0.99 %}

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
    where field in ('dividend', 'special_dividend')
),

adjusted_corrections as (
    select
        corrections.symbol,
        corrections.date,
        corrections.field,
        corrections.value / {{ split_factor() }} as value,
        corrections.currency,
        corrections.source
    from corrections
    {{ split_factor_join("corrections") }}
),

corrected as (
    select *
    from adjusted_corrections
    where field = 'dividend'
),

chosen as (
    select
        coalesce(corrected.symbol, adjusted.symbol) as symbol,
        coalesce(corrected.date, adjusted.date) as date,
        coalesce(corrected.value, adjusted.value) as value,
        coalesce(corrected.currency, adjusted.currency) as currency,
        nullif(adjusted.value, 0) as value_vendor,
        coalesce(corrected.value <> adjusted.value, corrected.value is not null) as is_corrected,
        coalesce(adjusted.source, corrected.source) as source
    from adjusted
    full outer join corrected
        on adjusted.symbol = corrected.symbol and adjusted.date = corrected.date
),

converted as (
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
        end as value_in_price_currency,
        case
            when specials.symbol is null then 0
            when specials.currency = securities.currency then specials.value
            else specials.value / declared_special.units_per_usd * traded.units_per_usd
        end as special_announced
    from chosen
    inner join {{ ref("securities") }} as securities on chosen.symbol = securities.symbol
    left join {{ ref("int_fx_daily") }} as declared on chosen.currency = declared.currency and chosen.date = declared.date
    left join {{ ref("int_fx_daily") }} as traded on securities.currency = traded.currency and chosen.date = traded.date
    left join adjusted_corrections as specials
        on chosen.symbol = specials.symbol and chosen.date = specials.date and specials.field = 'special_dividend'
    left join {{ ref("int_fx_daily") }} as declared_special
        on specials.currency = declared_special.currency and specials.date = declared_special.date
    where chosen.value > 0
)

select
    symbol,
    date,
    value,
    value_vendor,
    currency,
    is_corrected,
    source,
    price_currency,
    value_in_price_currency,
    case
        when special_announced >= {{ nearly_all }} * value_in_price_currency then value_in_price_currency
        else special_announced
    end as special_in_price_currency
from converted
