-- Headlines of one basket: year to date, market value gained, forward P/E, and since each event.
with days as (
    select
        days.as_of,
        baskets.basket_id,
        baskets.name
    from {{ ref("int_headline_days") }} as days
    cross join {{ ref("baskets") }} as baskets
),

levels as (
    select
        basket_id,
        date,
        level,
        return_ytd
    from {{ ref("fct_basket_daily") }}
    where currency_basis = 'local' and return_type = 'price'
),

year_to_date as (
    select
        days.as_of,
        days.basket_id || '_return_ytd' as headline_id,
        days.basket_id as subject,
        'return_ytd' as measure,
        'ratio' as unit,
        levels.return_ytd as value,
        {{ percent("levels.return_ytd") }} as value_text,
        levels.date as value_date,
        days.name || ' ' || {{ moved("levels.return_ytd") }} || ' in ' || year(levels.date) || ' to the close of '
        || {{ long_date("levels.date") }} || ', in local currency without dividends.' as sentence
    from days
    asof inner join levels on days.basket_id = levels.basket_id and days.as_of >= levels.date
),

value_gained as (
    select
        days.as_of,
        days.basket_id || '_market_value_change_ytd_usd' as headline_id,
        days.basket_id as subject,
        'market_value_change_ytd_usd' as measure,
        'usd' as unit,
        mv.change_ytd_usd as value,
        {{ billions("mv.change_ytd_usd") }} as value_text,
        mv.date as value_date,
        case
            when mv.change_ytd_usd is null and mv.members_valued < mv.members_priced
                then
                    'The market value that ' || days.name || ' gained in ' || year(mv.date) || ' cannot be computed: share counts are known for '
                    || mv.members_valued || ' of ' || mv.members_priced || ' members.'
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
        case when pe.coverage_ratio >= {{ minimum_coverage() }} then pe.forward_pe_aggregate end as value,
        case
            when pe.coverage_ratio >= {{ minimum_coverage() }} and pe.forward_pe_aggregate is not null
                then printf('%.1f times', pe.forward_pe_aggregate)
            else 'not computable'
        end as value_text,
        pe.date as value_date,
        case
            when coalesce(pe.coverage_ratio, 0) < {{ minimum_coverage() }}
                then
                    'The forward P/E of ' || days.name || ' cannot be computed for ' || {{ long_date("pe.date") }} || ': ' || pe.members_covered || ' of '
                    || pe.members || ' members have estimates'
                    || coalesce(', ' || {{ percent("pe.coverage_ratio") }} || ' of market value, and ', ' or a member lacks its share count; ')
                    || {{ percent(minimum_coverage()) }} || ' of market value is needed.'
            when pe.forward_pe_aggregate is null
                then 'The forward P/E of ' || days.name || ' cannot be computed for ' || {{ long_date("pe.date") }} || ': its members together are expected to lose money.'
            else
                days.name || ' traded at ' || printf('%.1f', pe.forward_pe_aggregate) || ' times next-twelve-months earnings on '
                || {{ long_date("pe.date") }} || '.'
        end as sentence
    from days
    asof inner join {{ ref("fct_basket_valuation_daily") }} as pe on days.basket_id = pe.basket_id and days.as_of >= pe.date
),

-- The return between two closes is a ratio of levels.
event_levels as (
    select
        events.event_id,
        events.name as event_name,
        baskets.basket_id,
        levels.date as event_date,
        levels.level
    from {{ ref("market_events") }} as events
    cross join {{ ref("baskets") }} as baskets
    asof inner join levels on baskets.basket_id = levels.basket_id and events.date >= levels.date
    where events.date - levels.date <= {{ headline_max_age_days() }}
),

since_event as (
    select
        days.as_of,
        days.basket_id || '_return_since_' || event_levels.event_id as headline_id,
        days.basket_id as subject,
        'return_since_' || event_levels.event_id as measure,
        'ratio' as unit,
        levels.level / event_levels.level - 1 as value,
        {{ percent("levels.level / event_levels.level - 1") }} as value_text,
        levels.date as value_date,
        days.name || ' ' || {{ moved("levels.level / event_levels.level - 1") }} || ' since ' || event_levels.event_name || ', from the close of '
        || {{ long_date("event_levels.event_date") }} || ' to that of ' || {{ long_date("levels.date") }} || '.' as sentence
    from days
    asof inner join levels on days.basket_id = levels.basket_id and days.as_of >= levels.date
    inner join event_levels on days.basket_id = event_levels.basket_id
    where levels.date > event_levels.event_date
)

select * from year_to_date where value is not null
union all
select * from value_gained where value is not null or sentence is not null
union all
select * from forward_pe
union all
select * from since_event
