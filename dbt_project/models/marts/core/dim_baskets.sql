select
    baskets.basket_id,
    baskets.name as basket_name,
    baskets.weighting,
    baskets.rebalance,
    base_dates.base_date,
    baskets.comparator_basket_id,
    '{{ var("source") }}' = 'sample' as is_simulated
from {{ ref("baskets") }} as baskets
left join {{ ref("int_basket_base_dates") }} as base_dates on baskets.basket_id = base_dates.basket_id
