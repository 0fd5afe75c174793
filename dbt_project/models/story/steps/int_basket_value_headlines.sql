-- Headlines of what a basket is worth: market value gained, and forward P/E.
with days as (
    select
        days.as_of,
        baskets.basket_id,
        baskets.name
    from {{ ref("int_headline_days") }} as days
    cross join {{ ref("baskets") }} as baskets
),

value_gained as (
    select
        days.as_of,
        days.basket_id,
        days.name,
        'market_value_change_ytd_usd' as measure,
        case
            when mv.change_ytd_usd is null then 'not_computable'
            else case when mv.change_ytd_usd >= 0 then 'up' else 'down' end || case when mv.is_shares_backcast then '_backcast' else '' end
        end as outcome,
        mv.change_ytd_usd as value,
        mv.date as value_date,
        mv.members_valued as known,
        mv.members_priced as members
    from days
    asof inner join {{ ref("fct_basket_market_value_daily") }} as mv on days.basket_id = mv.basket_id and days.as_of >= mv.date
    where mv.change_ytd_usd is not null or mv.members_valued < mv.members_priced
),

forward_pe as (
    select
        days.as_of,
        days.basket_id,
        days.name,
        'forward_pe' as measure,
        case
            when coalesce(pe.weight_covered, 0) < {{ var("min_coverage_ratio") }} then 'uncovered'
            when pe.forward_pe_basket_weighted is null then 'losses'
            else 'computed'
        end as outcome,
        case when pe.weight_covered >= {{ var("min_coverage_ratio") }} then pe.forward_pe_basket_weighted end as value,
        pe.date as value_date,
        pe.members_covered as known,
        pe.members,
        coalesce(pe.weight_covered, 0) as weight_covered
    from days
    asof inner join {{ ref("fct_basket_valuation_daily") }} as pe on days.basket_id = pe.basket_id and days.as_of >= pe.date
),

worth as (
    select * from value_gained
    union all by name
    select * from forward_pe
)

select
    as_of,
    basket_id as subject,
    'basket' as subject_kind,
    name as subject_name,
    measure,
    outcome,
    value,
    value_date,
    known,
    members,
    weight_covered
from worth
