-- For each split, what brings a value from before it, and after the split before it, to the basis of the build: the
-- product of its ratio and of all later ones. The basis of a point-in-time build is that of its own day: splits after
-- it are divided out, and values that include them all have a row of their own.
with splits as (
    select
        symbol,
        ex_date,
        ratio,
        is_known
    from {{ ref("int_splits") }}
    {% if known_at() %}
        union all
        select distinct
            symbol,
            '9999-12-31'::date as ex_date,
            1.0 as ratio,
            false as is_known
        from {{ ref("int_splits") }}
    {% endif %}
)

select
    symbol,
    ex_date,
    product(ratio) over (
        partition by symbol
        order by ex_date
        rows between current row and unbounded following
    ){% if known_at() %} / product(ratio) filter (where not is_known) over (partition by symbol){% endif %} as cumulative_ratio
from splits
