-- US dollars to each currency for every calendar day: the last fixing on or before it, unless it is too old. Minor
-- units, in which some exchanges quote (GBp, pence), go with their major currency.
with fixings as (
    select
        quote_currency as currency,
        date,
        rate
    from {{ ref("int_fx_fixings") }}
    where base_currency = 'USD'
),

days as (
    select unnest(generate_series(min(date), max(date), interval 1 day))::date as date
    from {{ ref("stg_exchange_sessions") }}
),

currencies as (
    select distinct currency
    from fixings
),

carried as (
    select
        currencies.currency,
        days.date,
        case when fixings.date >= days.date - {{ var("max_fx_age_days") }} then fixings.rate end as units_per_usd,
        case when fixings.date >= days.date - {{ var("max_fx_age_days") }} then fixings.date end as fixing_date
    from currencies
    cross join days
    asof left join fixings
        on currencies.currency = fixings.currency and days.date >= fixings.date
),

majors as (
    select * from carried
    union all
    select
        'USD' as currency,
        date,
        1.0 as units_per_usd,
        date as fixing_date
    from days
),

final as (
    select * from majors
    union all
    select
        minor_units.currency,
        majors.date,
        majors.units_per_usd * minor_units.units_per_major as units_per_usd,
        majors.fixing_date
    from {{ ref("minor_units") }} as minor_units
    inner join majors on minor_units.major_currency = majors.currency
)

select * from final
