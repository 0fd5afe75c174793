{% set values = [
    {
        "dataset": "fx_rates", "relation": ref("stg_fx_rates"), "symbol": "currency_pair", "item": "'rate'",
        "key": ["base_currency", "quote_currency", "date"],
    },
    {
        "dataset": "shares", "relation": ref("stg_shares"), "date": "as_of", "item": "'shares_outstanding'",
        "key": ["symbol", "as_of"],
    },
    {
        "dataset": "estimates", "relation": ref("stg_estimates"), "date": "as_of",
        "item": "metric || ' ' || period_type || ' ' || period_end",
        "key": ["symbol", "as_of", "metric", "period_type", "period_end"],
    },
    {
        "dataset": "risk_free", "relation": ref("stg_risk_free"), "symbol": "currency", "item": "'risk_free_rate ' || tenor",
        "key": ["currency", "tenor", "date"],
    },
] %}

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

{% for value in values %}
    {{ value.dataset }} as (
        select
            '{{ value.dataset }}' as dataset,
            {{ value.symbol | default("symbol") }} as symbol,
            {{ value.date | default("date") }} as date,
            {{ value.item }} as item,
            batch_id,
            fetched_at
        from {{ value.relation }}
        {{ latest_version(value.key) }}
    ),

{% endfor %}
origins as (
    select * from closes
    union all
    select * from actions
    {% for value in values %}
        union all
        select * from {{ value.dataset }}
    {% endfor %}
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
