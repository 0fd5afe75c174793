-- The fetch behind each value that the marts use: of the version that counts, and for a session without a close the one
-- that is carried. One row for the days in a row whose values came with one fetch.
with prices as (
    select
        symbol,
        date,
        batch_id,
        fetched_at
    from {{ ref("stg_prices") }}
    {{ latest_version(["symbol", "date"]) }}
),

closes as (
    select
        'prices' as dataset,
        sessions.symbol,
        sessions.date,
        'close' as item,
        prices.batch_id,
        prices.fetched_at
    from {{ ref("int_security_sessions") }} as sessions
    asof inner join prices
        on sessions.symbol = prices.symbol and sessions.date >= prices.date
),

latest_actions as (
    select *
    from {{ ref("stg_corporate_actions") }}
    {{ latest_version(["symbol", "date", "action"]) }}
),

-- A value of 0 withdraws an action: the marts do not have it.
actions as (
    select
        'prices' as dataset,
        symbol,
        date,
        action as item,
        batch_id,
        fetched_at
    from latest_actions
    where value > 0 and {{ dated_by_then("date") }}
),

rates as (
    select
        'fx_rates' as dataset,
        currency_pair as symbol,
        date,
        'rate' as item,
        batch_id,
        fetched_at
    from {{ ref("stg_fx_rates") }}
    {{ latest_version(["base_currency", "quote_currency", "date"]) }}
),

shares as (
    select
        'shares' as dataset,
        symbol,
        as_of as date,
        'shares_outstanding' as item,
        batch_id,
        fetched_at
    from {{ ref("stg_shares") }}
    {{ latest_version(["symbol", "as_of"]) }}
),

estimates as (
    select
        'estimates' as dataset,
        symbol,
        as_of as date,
        metric || ' ' || period_type || ' ' || period_end as item,
        batch_id,
        fetched_at
    from {{ ref("stg_estimates") }}
    {{ latest_version(["symbol", "as_of", "metric", "period_type", "period_end"]) }}
),

origins as (
    select * from closes
    union all
    select * from actions
    union all
    select * from rates
    union all
    select * from shares
    union all
    select * from estimates
),

marked as (
    select
        *,
        lag(batch_id) over series as batch_before,
        lag(date) over series as date_before,
        max(date) over (partition by dataset, symbol, item) as last_date
    from origins
    window series as (partition by dataset, symbol, item order by date)
)

-- A range ends on the day before the next one begins, of those that have a value.
select
    dataset,
    symbol,
    item,
    date as from_date,
    coalesce(lead(date_before) over (partition by dataset, symbol, item order by date), last_date) as to_date,
    batch_id,
    fetched_at
from marked
where batch_before is distinct from batch_id
