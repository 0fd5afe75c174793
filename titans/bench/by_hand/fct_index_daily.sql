-- From the sessions of fct_security_daily.sql. The last day with a level as high is looked for month by month, then
-- within the month that has it.
create table by_hand.marts.fct_index_daily as
with levels as (
    select
        sessions.symbol,
        sessions.exchange,
        sessions.date,
        date_trunc('month', sessions.date)::date as month,
        sessions.currency,
        sessions.close as level,
        sessions.close / rates.units_per_usd as level_usd,
        sessions.is_traded,
        sessions.source,
        max(sessions.close) over so_far as record_high
    from by_hand.steps.sessions as sessions
    left join by_hand.steps.rates as rates on sessions.currency = rates.currency and sessions.date = rates.date
    where sessions.kind = 'index'
    window so_far as (
        partition by sessions.symbol
        order by sessions.date
        rows between unbounded preceding and current row
    )
),

months as (
    select
        symbol,
        month,
        max(level) as highest
    from levels
    where is_traded
    group by symbol, month
),

months_as_high as (
    select
        today.symbol,
        today.date,
        today.level,
        max(months.month) as month
    from levels as today
    inner join months on today.symbol = months.symbol and today.month > months.month and today.level <= months.highest
    group by today.symbol, today.date, today.level
),

days_as_high as (
    select
        today.symbol,
        today.date,
        max(before.date) as highest_since
    from (
        select
            symbol,
            date,
            level,
            month
        from levels
        union all
        select
            symbol,
            date,
            level,
            month
        from months_as_high
    ) as today
    inner join levels as before
        on
            today.symbol = before.symbol
            and today.month = before.month
            and today.date > before.date
            and today.level <= before.level
            and before.is_traded
    group by today.symbol, today.date
)

select
    levels.symbol,
    securities.name as security_name,
    levels.date,
    levels.level,
    levels.currency,
    levels.is_traded,
    levels.source,
    round(levels.level / lag(levels.level, days.back_1d) over series - 1, 9) as return_1d,
    round(levels.level / lag(levels.level, days.back_wtd) over series - 1, 9) as return_wtd,
    round(levels.level / lag(levels.level, days.back_mtd) over series - 1, 9) as return_mtd,
    round(levels.level / lag(levels.level, days.back_qtd) over series - 1, 9) as return_qtd,
    round(levels.level / lag(levels.level, days.back_ytd) over series - 1, 9) as return_ytd,
    round(levels.level / lag(levels.level, days.back_1m) over series - 1, 9) as return_1m,
    round(levels.level / lag(levels.level, days.back_3m) over series - 1, 9) as return_3m,
    round(levels.level / lag(levels.level, days.back_6m) over series - 1, 9) as return_6m,
    round(levels.level / lag(levels.level, days.back_1y) over series - 1, 9) as return_1y,
    round(levels.level / lag(levels.level, days.back_3y) over series - 1, 9) as return_3y,
    round(levels.level / lag(levels.level, days.back_5y) over series - 1, 9) as return_5y,
    round(levels.level_usd / lag(levels.level_usd, days.back_1d) over series - 1, 9) as return_usd_1d,
    round(levels.level_usd / lag(levels.level_usd, days.back_wtd) over series - 1, 9) as return_usd_wtd,
    round(levels.level_usd / lag(levels.level_usd, days.back_mtd) over series - 1, 9) as return_usd_mtd,
    round(levels.level_usd / lag(levels.level_usd, days.back_qtd) over series - 1, 9) as return_usd_qtd,
    round(levels.level_usd / lag(levels.level_usd, days.back_ytd) over series - 1, 9) as return_usd_ytd,
    round(levels.level_usd / lag(levels.level_usd, days.back_1m) over series - 1, 9) as return_usd_1m,
    round(levels.level_usd / lag(levels.level_usd, days.back_3m) over series - 1, 9) as return_usd_3m,
    round(levels.level_usd / lag(levels.level_usd, days.back_6m) over series - 1, 9) as return_usd_6m,
    round(levels.level_usd / lag(levels.level_usd, days.back_1y) over series - 1, 9) as return_usd_1y,
    round(levels.level_usd / lag(levels.level_usd, days.back_3y) over series - 1, 9) as return_usd_3y,
    round(levels.level_usd / lag(levels.level_usd, days.back_5y) over series - 1, 9) as return_usd_5y,
    levels.record_high,
    min(levels.date) over (partition by levels.symbol, levels.record_high) as record_high_date,
    levels.level / levels.record_high - 1 as drawdown,
    case
        when levels.level >= levels.record_high then 'at_high'
        when round(levels.level / levels.record_high - 1, 12) > -0.09 then 'pullback'
        when round(levels.level / levels.record_high - 1, 12) > -0.10 then 'near_correction'
        when round(levels.level / levels.record_high - 1, 12) > -0.20 then 'correction'
        else 'bear'
    end as drawdown_state,
    days_as_high.highest_since,
    min(levels.date) over (partition by levels.symbol) as data_since
from levels
inner join seeds.securities as securities on levels.symbol = securities.symbol
inner join by_hand.steps.exchange_days as days on levels.exchange = days.exchange and levels.date = days.date
left join days_as_high on levels.symbol = days_as_high.symbol and levels.date = days_as_high.date
window series as (partition by levels.symbol order by levels.date);
