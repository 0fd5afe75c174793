-- Values that a vendor changed after the first version. Versions are compared on one split basis: a difference that is the split is no restatement.
with versions as (
    select
        prices.symbol,
        prices.date,
        prices.fetched_at,
        prices.source,
        prices.close as close_as_told,
        prices.close / {{ split_factor() }} as close
    from {{ ref("stg_prices") }} as prices
    {{ split_factor_join("prices") }}
),

compared as (
    select
        *,
        lag(close) over history as before,
        lag(close_as_told) over history as before_as_told
    from versions
    window history as (
        partition by symbol, date
        order by fetched_at
    )
)

select
    symbol,
    date,
    'close' as field,
    case when abs(close / before - 1) <= 1e-6 then 'split' else 'restated' end as kind,
    before_as_told as value_before,
    close_as_told as value_after,
    close / before - 1 as change_ratio,
    fetched_at as known_at,
    source
from compared
where before is not null and close_as_told is distinct from before_as_told
