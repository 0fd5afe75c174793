with levels as (
    select * from {{ ref("int_basket_levels") }}
)

select
    s.basket_id,
    baskets.name,
    s.date,
    s.currency_basis,
    s.return_type,
    s.level,
    {{ period_returns({"return_": "level"}) }},
    s.level / max(s.level) over (
        partition by s.basket_id, s.currency_basis, s.return_type
        order by s.date
        rows between unbounded preceding and current row
    ) - 1 as drawdown,
    s.members::integer as members,
    s.members_priced::integer as members_priced
from levels as s
inner join {{ ref("baskets") }} as baskets on s.basket_id = baskets.basket_id
{{ period_joins("levels", ["basket_id", "currency_basis", "return_type"]) }}
