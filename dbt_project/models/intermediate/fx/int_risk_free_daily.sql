{% set bill_days = 91 %}

-- The risk-free rate of each currency for every calendar day: the last quote on or before it, unless it is too old. Of
-- several tenors the one nearest to {{ bill_days }} days counts, for the whole series.
with quotes as (
    select *
    from {{ ref("int_risk_free_yields") }}
    qualify dense_rank() over (partition by currency order by abs(tenor_days - {{ bill_days }}), tenor_days, tenor) = 1
),

days as (
    select unnest(generate_series(min(date), max(date), interval 1 day))::date as date
    from {{ ref("stg_exchange_sessions") }}
),

series as (
    select
        currency,
        any_value(tenor) as tenor,
        min(date) as first_quote_date,
        max(date) as last_quote_date
    from quotes
    group by currency
),

final as (
    select
        series.currency,
        days.date,
        series.tenor,
        case when quotes.date >= days.date - {{ var("max_fx_age_days") }} then quotes.risk_free_rate end as risk_free_rate,
        case when quotes.date >= days.date - {{ var("max_fx_age_days") }} then quotes.date end as quote_date,
        series.first_quote_date,
        series.last_quote_date
    from series
    cross join days
    asof left join quotes
        on series.currency = quotes.currency and days.date >= quotes.date
)

select * from final
