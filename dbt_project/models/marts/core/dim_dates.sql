with days as (
    select unnest(generate_series(min(date), max(date), interval 1 day))::date as date
    from {{ ref("stg_exchange_sessions") }}
),

sessions as (
    select
        date,
        bool_or(market = 'hk') as is_session_hk,
        bool_or(market = 'us') as is_session_us,
        bool_or(market = 'hk' and is_half_day) as is_half_day_hk,
        bool_or(market = 'us' and is_half_day) as is_half_day_us
    from {{ ref("stg_exchange_sessions") }}
    group by date
)

select
    days.date,
    year(days.date)::integer as year,
    quarter(days.date)::integer as quarter,
    month(days.date)::integer as month,
    isoyear(days.date)::integer as iso_year,
    week(days.date)::integer as iso_week,
    isodow(days.date)::integer as iso_day_of_week,
    days.date = last_day(days.date) as is_month_end,
    coalesce(sessions.is_session_hk, false) as is_session_hk,
    coalesce(sessions.is_session_us, false) as is_session_us,
    coalesce(sessions.is_half_day_hk, false) as is_half_day_hk,
    coalesce(sessions.is_half_day_us, false) as is_half_day_us,
    days.date <= (select min(progress.complete_until) from {{ ref("int_exchange_progress") }} as progress) as is_complete
from days
left join sessions on days.date = sessions.date
