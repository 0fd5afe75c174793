select
    members.basket_id,
    baskets.name as basket_name,
    members.symbol,
    securities.name as security_name,
    members.valid_from,
    members.valid_to
from {{ ref("basket_members") }} as members
inner join {{ ref("baskets") }} as baskets on members.basket_id = baskets.basket_id
inner join {{ ref("securities") }} as securities on members.symbol = securities.symbol
