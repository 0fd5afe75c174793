{# Two to this power is more sessions than any index has: half a century. #}
{% set halvings = 14 %}

with sessions as (
    select
        symbol,
        date,
        currency,
        close as level,
        is_traded,
        source,
        max(close) over so_far as record_high,
        close / max(close) over so_far - 1 as drawdown,
        min(date) over so_far as data_since
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

-- How many sessions before each have no close as high: found by halves, each of which is passed if its highest is lower.
{{ "passed_" ~ 2 ** halvings }} as (
    select
        symbol,
        date,
        level,
        case when is_traded then level end as close,
        0 as lower_sessions
    from sessions
),
{% for power in range(halvings) | reverse %}
    {{ "half_" ~ 2 ** power }} as (
        select
            *,
            lower_sessions + {{ 2 ** power }} as furthest,
            lower_sessions + 1 as nearest
        from {{ "passed_" ~ 2 ** (power + 1) }}
    ),

    {{ "passed_" ~ 2 ** power }} as (
        select
            symbol,
            date,
            level,
            close,
            case
                when max(close) over (
                    partition by symbol
                    order by date
                    rows between furthest preceding and nearest preceding
                ) >= level then lower_sessions
                else furthest
            end as lower_sessions
        from {{ "half_" ~ 2 ** power }}
    ),
{% endfor %}

days_back as (
    {{ days_back("sessions", ["symbol"]) }}
),

earlier as (
    select
        symbol,
        date,
        lag(date, lower_sessions + 1) over (partition by symbol order by date) as highest_since
    from {{ "passed_1" }}
)

select
    s.symbol,
    securities.name as security_name,
    s.date,
    s.level,
    s.currency,
    s.is_traded,
    s.source,
    {{ period_returns({"return_": "s.level", "return_usd_": "s.level / fx.units_per_usd"}) }},
    s.record_high,
    records.record_high_date,
    s.drawdown,
    {{ drawdown_state("s.drawdown") }} as drawdown_state,
    earlier.highest_since,
    s.data_since
from sessions as s
inner join {{ ref("securities") }} as securities on s.symbol = securities.symbol
inner join records on s.symbol = records.symbol and s.record_high = records.level
inner join earlier on s.symbol = earlier.symbol and s.date = earlier.date
inner join days_back as back on s.symbol = back.symbol and s.date = back.date
left join {{ ref("int_fx_daily") }} as fx on s.currency = fx.currency and s.date = fx.date
window series as (
    partition by s.symbol
    order by s.date
)
