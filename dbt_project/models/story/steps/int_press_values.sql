-- What the marts say of each claim on the day that it is held against, and in words why they say nothing.
-- Which measures there are of which kind of subject, and their units, is in include/reference.py.
with claims as (
    select * from {{ ref("int_press_claim_days") }}
),

found as (
    select
        claims.*,
        case claims.measure
            {% for period in var("periods") %}
                when 'return_{{ period }}' then coalesce(baskets.return_{{ period }}, equities.return_{{ period }}, indices.return_{{ period }})
                when 'excess_return_{{ period }}' then pairs.excess_return_{{ period }}
            {% endfor %}
            when 'drawdown' then coalesce(baskets.drawdown, equities.drawdown, indices.drawdown)
            when 'highest_since' then year(indices.highest_since)
            when 'market_value_usd' then coalesce(market_values.market_value_usd, equities.market_value_usd)
            when 'market_value_change_ytd_usd' then market_values.change_ytd_usd
            when 'forward_pe'
                then
                    case
                        when claims.subject_kind = 'equity' then multiples.forward_pe
                        when basket_multiples.coverage_ratio >= {{ var("min_coverage_ratio") }} then basket_multiples.forward_pe_aggregate
                    end
            when 'forward_pe_discount' then pairs.forward_pe_discount
        end as value,
        market_values.members_valued,
        market_values.members_priced,
        basket_multiples.members_covered,
        basket_multiples.members,
        basket_multiples.coverage_ratio,
        own.members_covered as own_covered,
        own.members as own_members,
        other.members_covered as other_covered,
        other.members as other_members,
        least(own.coverage_ratio, other.coverage_ratio) >= {{ var("min_coverage_ratio") }} as is_pair_covered,
        multiples.is_loss_maker
    from claims
    left join {{ ref("fct_basket_daily") }} as baskets
        on
            claims.subject = baskets.basket_id
            and claims.value_date = baskets.date
            and baskets.currency_basis = 'local'
            and baskets.return_type = 'price'
    left join {{ ref("fct_basket_comparison_daily") }} as pairs
        on
            claims.subject = pairs.basket_id || ' vs ' || pairs.comparator_basket_id
            and claims.value_date = pairs.date
            and pairs.currency_basis = 'local'
            and pairs.return_type = 'price'
    left join {{ ref("fct_security_daily") }} as equities
        on claims.subject = equities.symbol and claims.value_date = equities.date
    left join {{ ref("fct_index_daily") }} as indices
        on claims.subject = indices.symbol and claims.value_date = indices.date
    left join {{ ref("fct_basket_market_value_daily") }} as market_values
        on claims.subject = market_values.basket_id and claims.value_date = market_values.date
    left join {{ ref("fct_basket_valuation_daily") }} as basket_multiples
        on claims.subject = basket_multiples.basket_id and claims.value_date = basket_multiples.date
    left join {{ ref("fct_security_valuation_daily") }} as multiples
        on claims.subject = multiples.symbol and claims.value_date = multiples.date
    asof left join {{ ref("fct_basket_valuation_daily") }} as own
        on pairs.basket_id = own.basket_id and pairs.date >= own.date
    asof left join {{ ref("fct_basket_valuation_daily") }} as other
        on pairs.comparator_basket_id = other.basket_id and pairs.date >= other.date
)

select
    claim_id,
    evaluated_at,
    claim_date,
    subject,
    subject_name,
    measure,
    comparison,
    claimed_value,
    tolerance,
    unit,
    statement,
    first_date,
    value_date,
    has_own_level,
    case when has_own_level then value end as value,
    case
        when has_own_level and value is not null then null
        when first_date is null then 'there are no data of ' || subject_name
        when claim_date < first_date then 'the data begin on ' || first_date
        when claim_date > complete_until then 'the data reach to ' || complete_until
        when value_date is null then 'no session to hold it against'
        when not has_own_level then 'no level on that day, the last one is carried'
        when measure = 'highest_since' then 'a record: no close was as high since the data begin on ' || first_date
        when measure = 'market_value_usd' and subject_kind = 'equity' then 'no share count'
        when members_valued < members_priced and measure in ('market_value_usd', 'market_value_change_ytd_usd')
            then 'share counts are known for ' || members_valued || ' of ' || members_priced || ' members'
        when measure = 'market_value_change_ytd_usd' then 'no market value at the end of the year before'
        when measure = 'forward_pe' and subject_kind = 'equity'
            then case when is_loss_maker then 'a loss is expected' else 'no estimates of the next twelve months' end
        when measure = 'forward_pe' and coalesce(coverage_ratio, 0) < {{ var("min_coverage_ratio") }}
            then
                members_covered || ' of ' || members || ' members have estimates'
                || coalesce(', ' || {{ percent("coverage_ratio") }} || ' of market value', ', and a member lacks its share count')
        when measure = 'forward_pe_discount' and not coalesce(is_pair_covered, false)
            then
                coalesce(own_covered, 0) || ' of ' || coalesce(own_members, 0) || ' members have estimates, and '
                || coalesce(other_covered, 0) || ' of ' || coalesce(other_members, 0) || ' of the other basket'
        when measure in ('forward_pe', 'forward_pe_discount') then 'the members together are expected to lose money'
        else 'no close to measure from'
    end as reason
from found
