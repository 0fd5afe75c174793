-- Headlines of the indices that the seed index_headlines asks for.
with days as (
    select
        days.as_of,
        wanted.symbol,
        wanted.measure
    from {{ ref("int_headline_days") }} as days
    cross join {{ ref("index_headlines") }} as wanted
),

-- A level that is only carried is no close of its day: the headline tells the last one that is.
closes as (
    select *
    from {{ ref("fct_index_daily") }}
    where is_traded
),

-- "Highest since" speaks of the highest close of the last few sessions, the first of them where two are equal.
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

told as (
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
    symbol || '_' || measure as headline_id,
    symbol as subject,
    measure,
    case when measure = 'highest_since' then 'year' else 'ratio' end as unit,
    value,
    case measure
        when 'drawdown_state' then drawdown_state
        when 'highest_since' then coalesce(strftime(peak_since, '%Y-%m-%d'), 'record')
        else {{ percent("value") }}
    end as value_text,
    case when measure = 'highest_since' then peak_date else date end as value_date,
    case measure
        when 'return_1d' then 'The ' || name || ' ' || {{ moved("value", "rose", "fell") }} || ' on ' || {{ long_date("date") }} || '.'
        when 'return_wtd' then 'The ' || name || ' ' || {{ moved("value", "rose", "fell") }} || ' in the week to ' || {{ long_date("date") }} || '.'
        when 'return_ytd'
            then
                'The ' || name || ' ' || {{ moved("value", "rose", "fell") }} || ' in ' || year(date) || ' at the close of '
                || {{ long_date("date") }} || '.'
        when 'drawdown'
            then
                case
                    when value >= 0 then 'The ' || name || ' closed at a record of ' || format('{:,.2f}', level) || ' on ' || {{ long_date("date") }} || '.'
                    else
                        'The ' || name || ' stood ' || case when round(1000 * value) = 0 then 'less than 0.1%' else {{ percent("abs(value)") }} end
                        || ' below its record close of ' || format('{:,.2f}', record_high) || ' of ' || {{ long_date("record_high_date") }}
                        || ' on ' || {{ long_date("date") }} || '.'
                end
        when 'drawdown_state'
            then
                'On ' || {{ long_date("date") }} || ' the ' || name || ' was '
                || case drawdown_state
                    when 'at_high' then 'at its high.'
                    when 'pullback' then 'in a pullback, less than 9% below its record.'
                    when 'near_correction' then 'near a correction, between 9% and 10% below its record.'
                    when 'correction' then 'in a correction, at least 10% below its record.'
                    when 'bear' then 'in a bear market, at least 20% below its record.'
                end
        when 'highest_since'
            then
                case
                    when peak_since is null then 'The ' || name || ' closed at a record on ' || {{ long_date("peak_date") }} || '.'
                    else
                        'The ' || name || ' closed at its highest since ' || {{ long_date("peak_since") }} || ' on ' || {{ long_date("peak_date") }} || '.'
                end
    end as sentence
from told
where value is not null or measure = 'highest_since'
