-- severity: critical
-- table: marts.fct_drawdown_episodes
-- why: The deepest episode of a basket or index is its lowest drawdown: otherwise records were mixed up, or an episode is
--   missing.

with lowest as (
    select
        basket_id as subject_id,
        currency_basis,
        return_type,
        min(drawdown) as drawdown
    from marts.fct_basket_daily
    group by basket_id, currency_basis, return_type
    union all
    select
        symbol as subject_id,
        'local' as currency_basis,
        'price' as return_type,
        min(drawdown) as drawdown
    from marts.fct_index_daily
    group by symbol
),

deepest as (
    select
        subject_id,
        currency_basis,
        return_type,
        min(depth) as depth
    from marts.fct_drawdown_episodes
    group by subject_id, currency_basis, return_type
)

select
    lowest.subject_id,
    lowest.currency_basis,
    lowest.return_type,
    lowest.drawdown,
    deepest.depth
from lowest
left join deepest
    on
        lowest.subject_id = deepest.subject_id
        and lowest.currency_basis = deepest.currency_basis
        and lowest.return_type = deepest.return_type
where round(lowest.drawdown, 12) <= -{{ var("min_episode_depth") }} and coalesce(abs(lowest.drawdown - deepest.depth) > 1e-9, true)
