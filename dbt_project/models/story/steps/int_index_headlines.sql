-- Headlines of the indices that the seed index_headlines asks for.
with days as (
    select
        days.as_of,
        wanted.symbol,
        wanted.measure
    from {{ ref("int_headline_days") }} as days
    cross join {{ ref("index_headlines") }} as wanted
),

-- A level that is only carried is no close of its day: the headline is about the last one that is.
closes as (
    select *
    from {{ ref("fct_index_daily") }}
    where is_traded
),

-- "Highest since" is about the highest close of the last few sessions, the first of them where two are equal.
peaks as (
    select
        symbol,
        date,
        arg_max({ 'date': date, 'level': level, 'since': highest_since }, (level, '9999-12-31'::date - date)) over (
            partition by symbol
            order by date
            rows between {{ var("highest_since_sessions") - 1 }} preceding and current row
        ) as peak
    from closes
),

matched as (
    select
        days.as_of,
        days.measure,
        lines.*,
        peaks.peak.date as peak_date,
        peaks.peak.level as peak_level,
        peaks.peak.since as peak_since
    from days
    asof inner join closes as lines on days.symbol = lines.symbol and days.as_of >= lines.date
    inner join peaks on lines.symbol = peaks.symbol and lines.date = peaks.date
),

valued as (
    select
        *,
        case measure
            when 'return_1d' then return_1d
            when 'return_wtd' then return_wtd
            when 'return_ytd' then return_ytd
            when 'drawdown' then drawdown
            when 'drawdown_state' then drawdown
            when 'highest_since' then year(peak_since)
        end as value
    from matched
)

select
    as_of,
    symbol as subject,
    'index' as subject_kind,
    security_name as subject_name,
    measure,
    case
        when measure = 'drawdown_state' then drawdown_state
        when measure = 'highest_since' then case when peak_since is null then 'record' else 'since' end
        when measure = 'drawdown' and value >= 0 then 'record'
        else {{ direction("value") }}
    end as outcome,
    value,
    case when measure = 'highest_since' then peak_date else date end as value_date,
    case when measure = 'highest_since' then peak_since else record_high_date end as base_date,
    record_high as level,
    data_since
from valued
where value is not null or measure = 'highest_since'
