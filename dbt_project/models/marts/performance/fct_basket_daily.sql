select
    s.basket_id,
    baskets.name,
    s.date,
    s.currency_basis,
    s.return_type,
    s.level,
    {{ period_returns({"return_": "s.level"}) }},
    s.level / max(s.level) over series - 1 as drawdown,
    s.members::integer as members,
    s.members_priced::integer as members_priced
from {{ ref("int_basket_levels") }} as s
inner join {{ ref("baskets") }} as baskets on s.basket_id = baskets.basket_id
inner join {{ ref("int_basket_days_back") }} as back on s.basket_id = back.basket_id and s.date = back.date
window series as (
    partition by s.basket_id, s.currency_basis, s.return_type
    order by s.date
)
