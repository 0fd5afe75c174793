-- Levels of both baskets of every pair that is compared, on the union of their days: on a day that only one of them
-- has, the other's level is carried.
with spans as (
    select
        basket_id,
        min(date) as first_date,
        max(date) as last_date
    from {{ ref("int_basket_calendar") }}
    group by basket_id
),

compared as (
    select
        basket_id,
        comparator_basket_id
    from {{ ref("baskets") }}
    where comparator_basket_id is not null
    union
    select
        basket_id,
        comparator_basket_id
    from {{ ref("basket_pairs") }}
),

pairs as (
    select
        compared.basket_id,
        compared.comparator_basket_id,
        greatest(one.first_date, two.first_date) as first_date,
        least(greatest(one.last_date, two.last_date), own.complete_until, other.complete_until) as last_date
    from compared
    inner join spans as one on compared.basket_id = one.basket_id
    inner join spans as two on compared.comparator_basket_id = two.basket_id
    inner join {{ ref("int_basket_progress") }} as own on compared.basket_id = own.basket_id
    inner join {{ ref("int_basket_progress") }} as other on compared.comparator_basket_id = other.basket_id
),

sides as (
    select
        *,
        unnest([basket_id, comparator_basket_id]) as side
    from pairs
),

pair_days as (
    select distinct
        sides.basket_id,
        sides.comparator_basket_id,
        days.date
    from sides
    inner join {{ ref("int_basket_calendar") }} as days
        on sides.side = days.basket_id and days.date between sides.first_date and sides.last_date
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
