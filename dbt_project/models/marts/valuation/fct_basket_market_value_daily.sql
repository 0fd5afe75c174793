-- Market value of the priced members. If one of them has no share count there is no value: part of a basket is not the
-- basket.
with by_day as (
    select
        basket_id,
        date,
        count(*) filter (where is_priced)::integer as members_priced,
        count(market_value_usd) filter (where is_priced)::integer as members_valued,
        sum(market_value_usd) filter (where is_priced) as market_value_usd,
        min(shares_as_of) filter (where is_priced) as shares_as_of,
        bool_or(is_shares_backcast) filter (where is_priced) as is_shares_backcast
    from {{ ref("int_basket_member_values") }}
    group by basket_id, date
),

complete as (
    select
        basket_id,
        date,
        members_priced,
        members_valued,
        case when members_valued = members_priced then market_value_usd end as market_value_usd,
        shares_as_of,
        is_shares_backcast
    from by_day
),

changes as (
    select
        complete.basket_id,
        complete.date,
        complete.market_value_usd - lag(complete.market_value_usd, back.back_ytd) over series as change_ytd_usd,
        lag(complete.is_shares_backcast, back.back_ytd) over series as is_base_backcast
    from complete
    inner join {{ ref("int_basket_days_back") }} as back on complete.basket_id = back.basket_id and complete.date = back.date
    window series as (
        partition by complete.basket_id
        order by complete.date
    )
)

select
    s.basket_id,
    baskets.name as basket_name,
    s.date,
    s.market_value_usd,
    changes.change_ytd_usd,
    {% for effect in ["price", "fx", "issuance", "membership"] -%}
        case when changes.change_ytd_usd is not null then effects.{{ effect }}_effect_usd end as {{ effect }}_effect_usd,
    {% endfor -%}
    s.members_priced,
    s.members_valued,
    s.shares_as_of,
    s.is_shares_backcast or coalesce(changes.is_base_backcast, false) as is_shares_backcast
from complete as s
inner join {{ ref("baskets") }} as baskets on s.basket_id = baskets.basket_id
inner join changes on s.basket_id = changes.basket_id and s.date = changes.date
left join {{ ref("int_basket_value_effects") }} as effects on s.basket_id = effects.basket_id and s.date = effects.date
