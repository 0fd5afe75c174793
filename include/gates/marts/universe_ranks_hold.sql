-- severity: critical
-- table: marts.fct_universe_ranking
-- why: Who is ranked has a place among those that are, who is not says what is missing, and the largest comes first.

with beside as (
    select
        *,
        count(*) over of_day as listed,
        count(market_value_usd) over of_day as with_value,
        count(expected_growth) over of_day as with_growth,
        count(rank_by_rule) over of_day as ranked,
        max(market_value_usd) over of_day as largest,
        min(rank_by_rule) over of_day as first_rank
    from marts.fct_universe_ranking
    window of_day as (partition by universe_id, rule_id, date)
)

select
    universe_id,
    rule_id,
    date,
    symbol,
    rank_by_rule,
    ranking_outcome,
    missing
from beside
where
    (rank_by_rule is not null) <> (ranking_outcome = 'ranked')
    or (rank_by_rule is null) <> (missing is not null)
    or (rank_by_market_value = 1) <> (market_value_usd = largest)
    or rank_by_market_value > with_value
    or rank_by_growth > with_growth
    or rank_by_rule > ranked
    or first_rank <> 1
    or market_value_usd <= 0
    or (members_listed, members_with_value, members_with_growth, members_ranked) <> (listed, with_value, with_growth, ranked)
