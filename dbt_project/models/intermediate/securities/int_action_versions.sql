-- Versions of dividends and splits. Without one there is no row: a price row that is older than the first version of one
-- implies that there was none, which is a version of value 0.
with actions as (
    select
        symbol,
        date,
        action,
        value,
        currency,
        basis_date,
        fetched_at,
        landed_at,
        source
    from {{ ref("stg_corporate_actions") }}
    where {{ dated_by_then("date") }}
),

first_prices as (
    select *
    from {{ ref("stg_prices") }}
    qualify row_number() over (partition by symbol, date order by {{ version_order() }}) = 1
),

implied as (
    select
        first_prices.symbol,
        first_prices.date,
        actions.action,
        0 as value,
        null as currency,
        first_prices.basis_date,
        first_prices.fetched_at,
        first_prices.landed_at,
        first_prices.source
    from first_prices
    inner join actions on first_prices.symbol = actions.symbol and first_prices.date = actions.date
    group by all
    having {{ version_order("first_prices") }} < min({{ version_order("actions") }})
)

select * from actions
union all
select * from implied
