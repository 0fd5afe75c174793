{% set shortest_year, longest_year = 365 - var("fiscal_year_slack_days"), 365 + var("fiscal_year_slack_days") %}
{{ config(materialized="view") }}

-- For each equity and session: earnings per share of the running fiscal year (FY1) and the next (FY2) out of the last
-- snapshot before it. A snapshot that is too old is not used. FY2 must end a year after FY1.
with snapshots as (
    select
        symbol,
        as_of,
        list({ 'period_end': period_end, 'mean': mean, 'currency': currency } order by period_end) as years
    from {{ ref("int_estimates_split_adjusted") }}
    where metric = 'eps' and period_type = 'annual'
    group by symbol, as_of
),

matched as (
    select
        prices.symbol,
        prices.date,
        prices.currency,
        prices.close,
        prices.units_per_usd,
        case when snapshots.as_of >= prices.date - {{ var("max_estimate_age_days") }} then snapshots.as_of end as estimate_as_of,
        snapshots.years
    from {{ ref("int_security_values") }} as prices
    asof left join snapshots
        on prices.symbol = snapshots.symbol and prices.date >= snapshots.as_of
),

running as (
    select
        *,
        list_filter(years, lambda year: struct_extract(year, 'period_end') >= date) as years_ahead
    from matched
),

-- A first year that ends more than a year ahead is not the running one: the snapshot lacks it.
chosen as (
    select
        symbol,
        date,
        currency,
        close,
        units_per_usd,
        estimate_as_of,
        case when estimate_as_of is not null and years_ahead[1].period_end <= date + {{ longest_year }} then years_ahead[1] end as fy1,
        case
            when
                estimate_as_of is not null
                and years_ahead[2].period_end - years_ahead[1].period_end between {{ shortest_year }} and {{ longest_year }}
                then years_ahead[2]
        end as fy2
    from running
),

final as (
    select
        chosen.symbol,
        chosen.date,
        chosen.currency,
        chosen.close,
        case when chosen.fy1 is not null then chosen.estimate_as_of end as estimate_as_of,
        chosen.fy1.period_end as fy1_period_end,
        chosen.fy1.mean / fx1.units_per_usd * chosen.units_per_usd as eps_fy1,
        case when chosen.fy1 is not null then chosen.fy2.mean / fx2.units_per_usd * chosen.units_per_usd end as eps_fy2,
        case when chosen.fy1 is not null then least(1.0, (chosen.fy1.period_end - chosen.date) / 365) end as fy1_weight,
        ends.is_transition_year
    from chosen
    left join {{ ref("int_fiscal_year_ends") }} as ends
        on chosen.symbol = ends.symbol and chosen.fy1.period_end = ends.period_end
    left join {{ ref("int_fx_daily") }} as fx1 on chosen.fy1.currency = fx1.currency and chosen.date = fx1.date
    left join {{ ref("int_fx_daily") }} as fx2 on chosen.fy2.currency = fx2.currency and chosen.date = fx2.date
)

select * from final
