-- Trailing P/E and P/B of each basket by its weights at the close, for baskets of whose members any has fundamentals. A
-- loss or a negative book value counts; a member that is not priced is in neither sum.
with held as (
    select
        basket_id,
        date,
        symbol,
        close_usd,
        weight * coalesce(close_usd / close_usd_bought, close / close_bought) as held_value
    from {{ ref("int_basket_member_values") }}
    where
        is_priced
        and basket_id in (
            select members.basket_id
            from {{ ref("basket_members") }} as members
            inner join {{ ref("int_fundamentals_ttm") }} as fundamentals on members.symbol = fundamentals.symbol
        )
),

yields as (
    select
        held.basket_id,
        held.date,
        held.held_value,
        {% for figure in ["eps", "book_value"] %}
            case
                when fundamentals.{{ figure }}_period_end >= held.date - {{ var("max_fundamentals_age_days") }}
                    then fundamentals.{{ figure }} / {{ figure }}_fx.units_per_usd / held.close_usd
            end as {{ figure }}_yield{% if not loop.last %},{% endif %}
        {% endfor %}
    from held
    asof left join {{ ref("int_fundamentals_ttm") }} as fundamentals
        on held.symbol = fundamentals.symbol and held.date >= fundamentals.as_of
    left join {{ ref("int_fx_daily") }} as eps_fx
        on fundamentals.eps_currency = eps_fx.currency and held.date = eps_fx.date
    left join {{ ref("int_fx_daily") }} as book_value_fx
        on fundamentals.book_value_currency = book_value_fx.currency and held.date = book_value_fx.date
),

aggregated as (
    select
        basket_id,
        date,
        sum(held_value) as held_value,
        sum(held_value) filter (where eps_yield is not null) as earning_value,
        sum(held_value * eps_yield) as earnings,
        sum(held_value) filter (where book_value_yield is not null) as booked_value,
        sum(held_value * book_value_yield) as book_value
    from yields
    group by basket_id, date
)

select
    basket_id,
    date,
    case when earnings > 0 then earning_value / earnings end as trailing_pe,
    coalesce(earning_value, 0) / held_value as trailing_weight_covered,
    case when book_value > 0 then booked_value / book_value end as price_to_book,
    coalesce(booked_value, 0) / held_value as book_weight_covered
from aggregated
