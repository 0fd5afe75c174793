with sessions as (
    select
        symbol,
        date,
        currency,
        close as level,
        is_traded,
        source,
        max(close) over so_far as record_high,
        close / max(close) over so_far - 1 as drawdown
    from {{ ref("int_security_sessions") }}
    where kind = 'index'
    window so_far as (
        partition by symbol
        order by date
        rows between unbounded preceding and current row
    )
),

-- The day of the record is the first on which it was reached; a carried level sets none.
records as (
    select
        symbol,
        level,
        min(date) as record_high_date
    from sessions
    group by symbol, level
),

earlier as (
    select
        today.symbol,
        today.date,
        max(before.date) as highest_since
    from sessions as today
    inner join sessions as before
        on today.symbol = before.symbol and today.date > before.date and today.level <= before.level and before.is_traded
    group by today.symbol, today.date
)

select
    s.symbol,
    securities.name,
    s.date,
    s.level,
    s.currency,
    s.is_traded,
    s.source,
    {{ period_returns({"return_": "level"}) }},
    s.record_high,
    records.record_high_date,
    s.drawdown,
    {{ drawdown_state("s.drawdown") }} as drawdown_state,
    earlier.highest_since
from sessions as s
inner join {{ ref("securities") }} as securities on s.symbol = securities.symbol
inner join records on s.symbol = records.symbol and s.record_high = records.level
left join earlier on s.symbol = earlier.symbol and s.date = earlier.date
{{ period_joins("sessions", ["symbol"]) }}
