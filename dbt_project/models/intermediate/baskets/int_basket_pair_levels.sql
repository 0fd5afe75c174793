-- Levels of both baskets of every ordered pair on the union of their days: on a day that only one of them has, the
-- other's level is carried.
with days as (
    select distinct
        basket_id,
        date
    from {{ ref("int_basket_levels") }}
),

spans as (
    select
        basket_id,
        min(date) as first_date,
        max(date) as last_date
    from days
    group by basket_id
),

pairs as (
    select
        one.basket_id,
        two.basket_id as comparator_basket_id,
        greatest(one.first_date, two.first_date) as first_date,
        greatest(one.last_date, two.last_date) as last_date
    from spans as one
    inner join spans as two on one.basket_id <> two.basket_id
),

pair_days as (
    select distinct
        pairs.basket_id,
        pairs.comparator_basket_id,
        days.date
    from pairs
    inner join {{ ref("int_basket_progress") }} as one on pairs.basket_id = one.basket_id
    inner join {{ ref("int_basket_progress") }} as two on pairs.comparator_basket_id = two.basket_id
    inner join days
        on
            (pairs.basket_id = days.basket_id or pairs.comparator_basket_id = days.basket_id)
            and days.date between pairs.first_date and least(pairs.last_date, one.complete_until, two.complete_until)
),

bases as (
    select distinct
        currency_basis,
        return_type
    from {{ ref("int_basket_levels") }}
),

wanted as (
    select
        pair_days.*,
        bases.currency_basis,
        bases.return_type
    from pair_days
    cross join bases
)

select
    wanted.basket_id,
    wanted.comparator_basket_id,
    wanted.date,
    wanted.currency_basis,
    wanted.return_type,
    one.level,
    two.level as comparator_level
from wanted
asof inner join {{ ref("int_basket_levels") }} as one
    on
        wanted.basket_id = one.basket_id
        and wanted.currency_basis = one.currency_basis
        and wanted.return_type = one.return_type
        and wanted.date >= one.date
asof inner join {{ ref("int_basket_levels") }} as two
    on
        wanted.comparator_basket_id = two.basket_id
        and wanted.currency_basis = two.currency_basis
        and wanted.return_type = two.return_type
        and wanted.date >= two.date
