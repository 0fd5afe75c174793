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
        wanted.basket_name,
        {{ in_sentence("wanted.comparator_name") }} as comparator_name,
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
        as_of,
        subject || '_excess_return_ytd' as headline_id,
        subject,
        'excess_return_ytd' as measure,
        'ratio' as unit,
        excess_return_ytd as value,
        printf('%.1f points', round(100 * excess_return_ytd, 1) + 0) as value_text,
        value_date,
        basket_name
        || case
            when round(1000 * excess_return_ytd) = 0 then ' and ' || comparator_name || ' were level'
            else
                case when excess_return_ytd > 0 then ' led ' else ' trailed ' end || comparator_name || ' by '
                || printf('%.1f', abs(100 * excess_return_ytd)) || ' percentage points'
        end || ' in ' || year(value_date) || ' to the close of ' || {{ long_date("value_date") }} || '.' as sentence
    from matched
    where excess_return_ytd is not null
),

discount as (
    select
        as_of,
        subject || '_forward_pe_discount' as headline_id,
        subject,
        'forward_pe_discount' as measure,
        'ratio' as unit,
        forward_pe_discount as value,
        coalesce({{ percent("forward_pe_discount") }}, 'not computable') as value_text,
        value_date,
        case
            when forward_pe_discount is null
                then
                    'The forward P/E discount of ' || {{ in_sentence("basket_name") }} || ' to ' || comparator_name || ' cannot be computed for '
                    || {{ long_date("value_date") }} || ': estimates cover ' || coalesce(own_covered, 0) || ' of ' || coalesce(own_members, 0)
                    || ' members and ' || coalesce(other_covered, 0) || ' of ' || coalesce(other_members, 0) || '.'
            else
                basket_name || ' traded at a ' || case when forward_pe_discount >= 0 then 'discount' else 'premium' end || ' of '
                || {{ percent("abs(forward_pe_discount)") }} || ' to ' || comparator_name || ' on forward earnings on '
                || {{ long_date("value_date") }} || '.'
        end as sentence
    from matched
)

select * from spread
union all
select * from discount
