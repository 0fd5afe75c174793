-- What is known of each basket on its last day up to which the data of every exchange are complete.
with complete as (
    select max(date) as until
    from {{ ref("dim_dates") }}
    where is_complete
),

days as (
    select
        basket_id,
        max(date) as as_of
    from {{ ref("fct_basket_daily") }}
    where date <= (select complete.until from complete)
    group by basket_id
),

-- Of the four rows of a day the one in local currency without dividends, with the year to date of two others.
returns as (
    select
        levels.*,
        max(levels.return_ytd) filter (where levels.currency_basis = 'local' and levels.return_type = 'total') over day as return_ytd_with_dividends,
        max(levels.return_ytd) filter (where levels.currency_basis = 'usd' and levels.return_type = 'price') over day as return_ytd_usd
    from {{ ref("fct_basket_daily") }} as levels
    inner join days on levels.basket_id = days.basket_id and levels.date = days.as_of
    window day as (partition by levels.basket_id)
    qualify levels.currency_basis = 'local' and levels.return_type = 'price'
),

risk_days as (
    select
        basket_id,
        max(date) as risk_date
    from {{ ref("fct_basket_risk") }}
    where date <= (select complete.until from complete)
    group by basket_id
),

risk as (
    select
        measures.basket_id,
        measures.date as risk_date,
        max(measures.volatility) filter (where measures.window_length = '1y') as volatility_1y,
        max(measures.volatility) filter (where measures.window_length = '3y') as volatility_3y,
        max(measures.max_drawdown) filter (where measures.window_length = '3y') as max_drawdown_3y
    from {{ ref("fct_basket_risk") }} as measures
    inner join risk_days on measures.basket_id = risk_days.basket_id and measures.date = risk_days.risk_date
    where measures.currency_basis = 'local' and measures.return_type = 'price' and measures.benchmark_id is null
    group by measures.basket_id, measures.date
)

select
    baskets.basket_id,
    baskets.basket_name,
    days.as_of,
    baskets.is_simulated,
    returns.members,
    returns.members_priced,
    returns.return_1m,
    returns.return_3m,
    returns.return_ytd,
    returns.is_ytd_since_base,
    returns.return_ytd_with_dividends,
    returns.return_ytd_usd,
    returns.return_1y,
    returns.return_3y_annualised,
    returns.return_5y_annualised,
    returns.return_since_base_annualised,
    baskets.comparator_basket_id,
    comparators.basket_name as comparator_name,
    comparisons.excess_return_1m,
    comparisons.excess_return_ytd,
    comparisons.excess_return_1y,
    returns.drawdown,
    risk.risk_date,
    risk.volatility_1y,
    risk.volatility_3y,
    risk.max_drawdown_3y,
    valuations.forward_pe_basket_weighted,
    valuations.weight_covered,
    valuations.forward_pe_aggregate,
    valuations.coverage_ratio,
    comparisons.forward_pe_discount,
    gains.market_value_usd,
    gains.change_ytd_usd,
    gains.price_effect_usd,
    gains.fx_effect_usd,
    gains.issuance_effect_usd,
    gains.membership_effect_usd,
    gains.is_shares_backcast
from {{ ref("dim_baskets") }} as baskets
left join {{ ref("dim_baskets") }} as comparators on baskets.comparator_basket_id = comparators.basket_id
left join days on baskets.basket_id = days.basket_id
left join returns on baskets.basket_id = returns.basket_id
left join {{ ref("fct_basket_comparison_daily") }} as comparisons
    on
        baskets.basket_id = comparisons.basket_id
        and days.as_of = comparisons.date
        and comparisons.is_default_comparator
        and comparisons.currency_basis = 'local'
        and comparisons.return_type = 'price'
left join {{ ref("fct_basket_valuation_daily") }} as valuations
    on baskets.basket_id = valuations.basket_id and days.as_of = valuations.date
left join {{ ref("fct_basket_market_value_daily") }} as gains on baskets.basket_id = gains.basket_id and days.as_of = gains.date
left join risk on baskets.basket_id = risk.basket_id
