-- What the marts say about each claim on the day that it is checked against, with the counts that explain why they may
-- say nothing. The columns of the rows below are named like the measures; the seed measures says which of them can be
-- claimed.
with basket_rows as (
    select
        -- What a basket returned since its base is not what it returned in the year.
        daily.* replace (case when daily.is_ytd_since_base is distinct from true then daily.return_ytd end as return_ytd),
        market_values.market_value_usd,
        market_values.change_ytd_usd as market_value_change_ytd_usd,
        market_values.members_valued,
        case when multiples.coverage_ratio >= {{ var("min_coverage_ratio") }} then multiples.forward_pe_aggregate end as forward_pe,
        multiples.members_covered,
        multiples.coverage_ratio,
        multiples.forward_pe_basket_weighted,
        multiples.forward_pe_equal_weight,
        multiples.forward_pe_median
    from {{ ref("fct_basket_daily") }} as daily
    left join {{ ref("fct_basket_market_value_daily") }} as market_values
        on daily.basket_id = market_values.basket_id and daily.date = market_values.date
    left join {{ ref("fct_basket_valuation_daily") }} as multiples
        on daily.basket_id = multiples.basket_id and daily.date = multiples.date
    where daily.currency_basis = 'local' and daily.return_type = 'price'
),

pair_rows as (
    select
        pairs.*,
        pairs.basket_id || ' vs ' || pairs.comparator_basket_id as subject,
        own.members_covered as own_covered,
        own.members as own_members,
        other.members_covered as other_covered,
        other.members as other_members,
        least(own.coverage_ratio, other.coverage_ratio) >= {{ var("min_coverage_ratio") }} as is_pair_covered
    from {{ ref("fct_basket_comparison_daily") }} as pairs
    asof left join {{ ref("fct_basket_valuation_daily") }} as own
        on pairs.basket_id = own.basket_id and pairs.date >= own.date
    asof left join {{ ref("fct_basket_valuation_daily") }} as other
        on pairs.comparator_basket_id = other.basket_id and pairs.date >= other.date
    where pairs.currency_basis = 'local' and pairs.return_type = 'price'
),

equity_rows as (
    select
        daily.*,
        multiples.forward_pe,
        multiples.is_loss_maker
    from {{ ref("fct_security_daily") }} as daily
    left join {{ ref("fct_security_valuation_daily") }} as multiples
        on daily.symbol = multiples.symbol and daily.date = multiples.date
),

index_rows as (
    select * replace (year(highest_since) as highest_since, year(record_high_date) as record_high_date)
    from {{ ref("fct_index_daily") }}
)

select
    claims.claim_id,
    claims.evaluated_at,
    claims.claim_date,
    claims.subject,
    claims.subject_name,
    claims.subject_kind,
    claims.measure,
    claims.comparison,
    claims.claimed_value,
    claims.tolerance,
    claims.unit,
    claims.statement,
    claims.claim_source,
    claims.first_date,
    claims.complete_until,
    claims.value_date,
    claims.has_own_level,
    (case claims.subject_kind
        when 'basket' then to_json(basket_rows) -- the row, no column -- noqa: RF02
        when 'pair' then to_json(pair_rows) -- the row, no column -- noqa: RF02
        when 'equity' then to_json(equity_rows) -- the row, no column -- noqa: RF02
        when 'index' then to_json(index_rows) -- the row, no column -- noqa: RF02
    end ->> claims.measure)::double as value,
    basket_rows.members_valued,
    basket_rows.members_priced,
    basket_rows.members_covered,
    basket_rows.members,
    basket_rows.coverage_ratio,
    {% for definition in ["basket_weighted", "equal_weight", "median"] %}
        case
            when claims.measure = 'forward_pe' and basket_rows.forward_pe is not null then basket_rows.forward_pe_{{ definition }}
        end as forward_pe_{{ definition }},
    {% endfor %}
    pair_rows.own_covered,
    pair_rows.own_members,
    pair_rows.other_covered,
    pair_rows.other_members,
    pair_rows.is_pair_covered,
    equity_rows.is_loss_maker
from {{ ref("int_press_claim_days") }} as claims
left join basket_rows on claims.subject = basket_rows.basket_id and claims.value_date = basket_rows.date
left join pair_rows on claims.subject = pair_rows.subject and claims.value_date = pair_rows.date
left join equity_rows on claims.subject = equity_rows.symbol and claims.value_date = equity_rows.date
left join index_rows on claims.subject = index_rows.symbol and claims.value_date = index_rows.date
