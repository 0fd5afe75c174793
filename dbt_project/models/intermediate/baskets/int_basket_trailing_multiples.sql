-- Trailing P/E and price to book of each basket by its own weights at the close, losses included, over the members that
-- have the figure. Where an exchange is closed, that of its last session stands; a member that is not priced has none.
{% set figures = [("trailing_pe", "earnings_yield_ttm"), ("price_to_book", "book_yield")] %}

with members as (
    select
        held.basket_id,
        held.date,
        held.weight * coalesce(held.close_usd / held.close_usd_bought, held.close / held.close_bought) as held_value,
        yields.earnings_yield_ttm,
        yields.book_yield
    from {{ ref("int_basket_member_values") }} as held
    asof left join {{ ref("int_security_trailing_yields") }} as yields
        on held.symbol = yields.symbol and held.date >= yields.date
    where held.is_priced
),

sums as (
    select
        {% for figure, yield in figures %}
            sum(held_value) filter (where {{ yield }} is not null) as {{ figure }}_value,
            sum(held_value * {{ yield }}) as {{ figure }}_earned,
        {% endfor %}
        basket_id,
        date,
        sum(held_value) as held_value
    from members
    group by basket_id, date
)

select
    basket_id,
    date,
    {% for figure, yield in figures %}
        case when {{ figure }}_earned > 0 then {{ figure }}_value / {{ figure }}_earned end as {{ figure }},
        coalesce({{ figure }}_value, 0) / held_value as {{ figure }}_weight_covered{% if not loop.last %},{% endif %}
    {% endfor %}
from sums
