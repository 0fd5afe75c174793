-- Headlines of a basket against the comparator that its seed names: spread of returns, and discount of forward P/Es.
with wanted as (
    select
        comparison.*,
        comparison.basket_id || '_vs_' || comparison.comparator_basket_id as subject
    from {{ ref("fct_basket_comparison_daily") }} as comparison
    inner join {{ ref("baskets") }} as baskets
        on comparison.basket_id = baskets.basket_id and comparison.comparator_basket_id = baskets.comparator_basket_id
    where comparison.currency_basis = 'local' and comparison.return_type = 'price'
),

pairs as (
    select distinct
        basket_id,
        comparator_basket_id
    from wanted
),

days as (
    select
        days.as_of,
        pairs.basket_id,
        pairs.comparator_basket_id
    from {{ ref("int_headline_days") }} as days
    cross join pairs
),

matched as (
    select
        days.as_of,
        wanted.subject,
        wanted.basket_id,
        wanted.comparator_basket_id,
        wanted.basket_name,
        wanted.comparator_name,
        wanted.date as value_date,
        wanted.excess_return_ytd,
        wanted.forward_pe_discount,
        own.members_covered as own_covered,
        own.members as own_members,
        other.members_covered as other_covered,
        other.members as other_members
    from days
    asof inner join wanted
        on
            days.basket_id = wanted.basket_id
            and days.comparator_basket_id = wanted.comparator_basket_id
            and days.as_of >= wanted.date
    asof left join {{ ref("fct_basket_valuation_daily") }} as own
        on wanted.basket_id = own.basket_id and wanted.date >= own.date
    asof left join {{ ref("fct_basket_valuation_daily") }} as other
        on wanted.comparator_basket_id = other.basket_id and wanted.date >= other.date
),

spread as (
    select
        *,
        'excess_return_ytd' as measure,
        {{ direction("excess_return_ytd") }} as outcome,
        excess_return_ytd as value
    from matched
    where excess_return_ytd is not null
),

discount as (
    select
        *,
        'forward_pe_discount' as measure,
        case
            when forward_pe_discount is null then 'not_computable'
            when forward_pe_discount >= 0 then 'discount'
            else 'premium'
        end as outcome,
        forward_pe_discount as value
    from matched
),

compared as (
    select * from spread
    union all
    select * from discount
)

select
    as_of,
    subject,
    'pair' as subject_kind,
    basket_name as subject_name,
    comparator_name as other_name,
    basket_id,
    comparator_basket_id,
    measure,
    outcome,
    value,
    value_date,
    coalesce(own_covered, 0) as known,
    coalesce(own_members, 0) as members,
    coalesce(other_covered, 0) as other_known,
    coalesce(other_members, 0) as other_members
from compared
