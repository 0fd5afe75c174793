-- Forward P/Es of each basket and the breadth of revisions. Neither value nor estimates of a member that is not priced
-- count. Where an exchange is closed, the P/E of its last session stands. The basket's weights are those at the close.
with members as (
    select
        held.basket_id,
        held.date,
        held.symbol,
        held.is_priced,
        case when held.is_priced then held.market_value_usd end as market_value_usd,
        case
            when held.is_priced
                then held.weight * coalesce(held.close_usd / held.close_usd_bought, held.close / held.close_bought)
        end as held_value,
        case when held.is_priced then multiples.eps_ntm / multiples.close end as earnings_yield,
        held.dividend_yield_ttm,
        case when held.is_priced then multiples.estimate_as_of end as estimate_as_of,
        multiples.fy1_period_end
    from {{ ref("int_basket_member_values") }} as held
    asof left join {{ ref("int_security_multiples") }} as multiples
        on held.symbol = multiples.symbol and held.date >= multiples.date
),

-- Up, down or unchanged (1, -1, 0): the FY1 estimate in use, in the snapshot that is in use.
revised as (
    select
        {% for days in var("revision_days") %}
            sign(revisions.change_{{ days }}d) as direction_{{ days }}d,
        {% endfor %}
        members.*
    from members
    left join {{ ref("int_estimate_revisions") }} as revisions
        on
            members.symbol = revisions.symbol
            and members.estimate_as_of = revisions.as_of
            and members.fy1_period_end = revisions.period_end
            and revisions.metric = 'eps'
            and revisions.period_type = 'annual'
),

-- The rank orders from cheap to dear; a loss has no P/E and ranks as dearer than any.
ranked as (
    select
        *,
        case when earnings_yield > 0 then 1 / earnings_yield end as forward_pe,
        row_number() over (
            partition by basket_id, date
            order by earnings_yield is null, earnings_yield <= 0, case when earnings_yield > 0 then 1 / earnings_yield end, symbol
        ) as place,
        count(earnings_yield) over (partition by basket_id, date) as covered
    from revised
),

aggregated as (
    select
        basket_id,
        date,
        {% for days in var("revision_days") %}
            sum(direction_{{ days }}d) / nullif(count(direction_{{ days }}d), 0) as revision_breadth_{{ days }}d,
            count(direction_{{ days }}d)::integer as revision_members_{{ days }}d,
        {% endfor %}
        count(*)::integer as members,
        count(*) filter (where is_priced)::integer as members_priced,
        count(earnings_yield)::integer as members_covered,
        count(*) filter (where earnings_yield <= 0)::integer as loss_makers,
        sum(market_value_usd) filter (where earnings_yield is not null) as covered_value,
        sum(market_value_usd * earnings_yield) as covered_earnings,
        sum(market_value_usd) filter (where earnings_yield > 0) as profitable_value,
        sum(market_value_usd * earnings_yield) filter (where earnings_yield > 0) as profitable_earnings,
        avg(earnings_yield) as mean_yield,
        sum(held_value) as held_value,
        sum(held_value) filter (where earnings_yield is not null) as covered_held_value,
        sum(held_value * earnings_yield) as held_earnings,
        sum(held_value) filter (where dividend_yield_ttm is not null) as paying_held_value,
        sum(held_value * dividend_yield_ttm) as held_dividends,
        case when count(market_value_usd) = count(*) filter (where is_priced) then sum(market_value_usd) end as total_value,
        count(*) filter (where place in (covered // 2 + 1, (covered + 1) // 2) and earnings_yield is not null) as middle_places,
        count(forward_pe) filter (where place in (covered // 2 + 1, (covered + 1) // 2)) as middle_values,
        avg(forward_pe) filter (where place in (covered // 2 + 1, (covered + 1) // 2)) as middle_pe
    from ranked
    group by basket_id, date
)

select
    basket_id,
    date,
    case when covered_earnings > 0 then covered_value / covered_earnings end as forward_pe_aggregate,
    case
        when profitable_earnings > 0 then profitable_value / profitable_earnings
    end as forward_pe_aggregate_profitable,
    case when mean_yield > 0 then 1 / mean_yield end as forward_pe_equal_weight,
    case when held_earnings > 0 then covered_held_value / held_earnings end as forward_pe_basket_weighted,
    case
        when middle_places > 0 and middle_values = middle_places then middle_pe
    end as forward_pe_median,
    members,
    members_priced,
    members_covered,
    coalesce(covered_value, 0) / total_value as coverage_ratio,
    coalesce(covered_held_value, 0) / held_value as weight_covered,
    held_dividends / paying_held_value as dividend_yield_ttm,
    coalesce(paying_held_value, 0) / held_value as dividend_weight_covered,
    {% for days in var("revision_days") %}
        revision_breadth_{{ days }}d,
        revision_members_{{ days }}d,
    {% endfor %}
    loss_makers
from aggregated
