-- For each split, the product of its ratio and of all later ones.
select
    symbol,
    ex_date,
    product(ratio) over (
        partition by symbol
        order by ex_date
        rows between current row and unbounded following
    ) as cumulative_ratio
from {{ ref("int_splits") }}
