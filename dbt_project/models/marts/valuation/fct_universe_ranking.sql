-- Ranks of those that have a figure, 1 the largest. A rule ranks the weighted mean of the two: who lacks a rank that it
-- needs cannot be ranked, and the counts say among how many the others are.
with ranked as (
    select
        *,
        case when market_value_usd is not null then rank() over (of_day order by market_value_usd desc nulls last) end as rank_by_market_value,
        case when expected_growth is not null then rank() over (of_day order by expected_growth desc nulls last) end as rank_by_growth,
        count(*) over of_day as members_listed,
        count(market_value_usd) over of_day as members_with_value,
        count(expected_growth) over of_day as members_with_growth
    from {{ ref("int_universe_figures") }}
    window of_day as (partition by universe_id, date)
),

scored as (
    select
        ranked.*,
        rules.rule_id,
        rules.name as rule_name,
        case when rules.market_value_weight = 0 then 0 else rules.market_value_weight * ranked.rank_by_market_value end
        + case when rules.growth_weight = 0 then 0 else rules.growth_weight * ranked.rank_by_growth end as score,
        nullif(
            concat_ws(
                '; ',
                case when rules.market_value_weight > 0 then ranked.value_reason end,
                case when rules.growth_weight > 0 then ranked.growth_reason end
            ), ''
        ) as missing
    from ranked
    cross join {{ ref("ranking_rules") }} as rules
)

select
    s.universe_id,
    universes.name as universe_name,
    s.rule_id,
    s.rule_name,
    s.date,
    s.symbol,
    s.security_name,
    s.market_value_usd,
    s.expected_growth,
    s.rank_by_market_value::integer as rank_by_market_value,
    s.rank_by_growth::integer as rank_by_growth,
    s.score as rule_score,
    case when s.score is not null then rank() over (of_rule order by s.score nulls last)::integer end as rank_by_rule,
    case when s.score is not null then 'ranked' else 'not_computable' end as ranking_outcome,
    s.missing,
    s.is_in_basket,
    s.is_hindsight,
    s.members_listed::integer as members_listed,
    s.members_with_value::integer as members_with_value,
    s.members_with_growth::integer as members_with_growth,
    (count(s.score) over of_rule)::integer as members_ranked
from scored as s
inner join {{ ref("universes") }} as universes on s.universe_id = universes.universe_id
window of_rule as (partition by s.universe_id, s.date, s.rule_id)
