{% set bill_days = 91 %}

-- The risk-free rate of each currency for every calendar day: the last quote on or before it, unless it is too old. Of
-- several tenors that have one the nearest to {{ bill_days }} days counts, so one that ends or is seldom quoted takes no
-- day from the others; of two names of one length, the one quoted last.
with quotes as (
    select * from {{ ref("int_risk_free_yields") }}
),

days as (
    select unnest(generate_series(min(date), max(date), interval 1 day))::date as date
    from {{ ref("stg_exchange_sessions") }}
),

currencies as (
    select
        currency,
        min(date) as first_quote_date,
        max(date) as last_quote_date
    from quotes
    group by currency
),

tenors as (
    select distinct
        currency,
        tenor
    from quotes
),

carried as (
    select
        tenors.currency,
        days.date,
        tenors.tenor,
        quotes.risk_free_rate,
        quotes.date as quote_date
    from tenors
    cross join days
    asof inner join quotes
        on tenors.currency = quotes.currency and tenors.tenor = quotes.tenor and days.date >= quotes.date
    where quotes.date >= days.date - {{ var("max_fx_age_days") }}
    qualify row_number() over (
        partition by tenors.currency, days.date
        order by abs(quotes.tenor_days - {{ bill_days }}), quotes.tenor_days, quotes.date desc, tenors.tenor
    ) = 1
),

final as (
    select
        currencies.currency,
        days.date,
        carried.tenor,
        carried.risk_free_rate,
        carried.quote_date,
        currencies.first_quote_date,
        currencies.last_quote_date
    from currencies
    cross join days
    left join carried
        on currencies.currency = carried.currency and days.date = carried.date
)

select * from final
