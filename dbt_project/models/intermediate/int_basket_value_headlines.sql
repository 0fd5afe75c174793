-- Headlines of what a basket is worth: market value gained, and forward P/E.
with days as (
    select
        days.as_of,
        baskets.basket_id,
        baskets.name
    from {{ ref("int_headline_days") }} as days
    cross join {{ ref("baskets") }} as baskets
),

value_gained as (
    select
        days.as_of,
        days.basket_id || '_market_value_change_ytd_usd' as headline_id,
        days.basket_id as subject,
        'market_value_change_ytd_usd' as measure,
        'usd' as unit,
        mv.change_ytd_usd as value,
        coalesce({{ billions("mv.change_ytd_usd") }}, 'not computable') as value_text,
        mv.date as value_date,
        case
            when mv.change_ytd_usd is null and mv.members_valued < mv.members_priced
                then
                    'The market value that ' || {{ in_sentence("days.name") }} || ' gained in ' || year(mv.date)
                    || ' cannot be computed: share counts are known for ' || mv.members_valued || ' of ' || mv.members_priced || ' members.'
            else
                days.name || ' ' || case when mv.change_ytd_usd >= 0 then 'gained ' else 'lost ' end
                || {{ billions("abs(mv.change_ytd_usd)") }} || ' in market value in ' || year(mv.date) || ' to '
                || {{ long_date("mv.date") }} || case when mv.is_shares_backcast then ', with share counts carried back.' else '.' end
        end as sentence
    from days
    asof inner join {{ ref("fct_basket_market_value_daily") }} as mv on days.basket_id = mv.basket_id and days.as_of >= mv.date
),

forward_pe as (
    select
        days.as_of,
        days.basket_id || '_forward_pe' as headline_id,
        days.basket_id as subject,
        'forward_pe' as measure,
        'times' as unit,
        case when pe.coverage_ratio >= {{ var("min_coverage_ratio") }} then pe.forward_pe_aggregate end as value,
        case
            when pe.coverage_ratio >= {{ var("min_coverage_ratio") }} and pe.forward_pe_aggregate is not null
                then printf('%.1f times', pe.forward_pe_aggregate)
            else 'not computable'
        end as value_text,
        pe.date as value_date,
        case
            when coalesce(pe.coverage_ratio, 0) < {{ var("min_coverage_ratio") }}
                then
                    'The forward P/E of ' || {{ in_sentence("days.name") }} || ' cannot be computed for '
                    || {{ long_date("pe.date") }} || ': ' || pe.members_covered || ' of ' || pe.members || ' members have estimates'
                    || coalesce(', ' || {{ percent("pe.coverage_ratio") }} || ' of market value, and ', ' or a member lacks its share count; ')
                    || {{ percent(var("min_coverage_ratio")) }} || ' of market value is needed.'
            when pe.forward_pe_aggregate is null
                then
                    'The forward P/E of ' || {{ in_sentence("days.name") }} || ' cannot be computed for ' || {{ long_date("pe.date") }}
                    || ': its members together are expected to lose money.'
            else
                days.name || ' traded at ' || printf('%.1f', pe.forward_pe_aggregate) || ' times next-twelve-months earnings on '
                || {{ long_date("pe.date") }} || '.'
        end as sentence
    from days
    asof inner join {{ ref("fct_basket_valuation_daily") }} as pe on days.basket_id = pe.basket_id and days.as_of >= pe.date
)

select * from value_gained
where sentence is not null
union all
select * from forward_pe
