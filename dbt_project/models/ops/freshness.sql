-- How far the data of each symbol reach, against the sessions that should be there: of a live source, those closed when
-- it was last asked for anything; of the sample and of files, which end where they end, those up to the day that they
-- were asked for.
with last_prices as (
    select
        symbol,
        max(date) filter (where is_traded) as last_date
    from {{ ref("int_security_sessions") }}
    group by symbol
),

asked as (
    select
        least(
            max(fetched_at)
            {% if var("source") in ("sample", "files") %}, max(end_date) filter (where dataset = 'prices') + interval 1 day{% endif %}
            {% if known_at() %}, {{ after_known_at() }}{% endif %}
        ) as judged_at
    from {{ ref("stg_fetch_windows") }}
),

closed_sessions as (
    select
        exchange,
        date
    from {{ ref("stg_exchange_sessions") }}
    where closes_at <= (select asked.judged_at from asked)
)

select
    securities.symbol,
    securities.name as security_name,
    securities.exchange,
    last_prices.last_date,
    progress.last_date as exchange_last_date,
    progress.complete_until as exchange_complete_until,
    asked.judged_at,
    count(closed_sessions.date)::integer as sessions_behind,
    count(closed_sessions.date) > 0 as is_late
from {{ ref("securities") }} as securities
inner join last_prices on securities.symbol = last_prices.symbol
inner join {{ ref("int_exchange_progress") }} as progress on securities.exchange = progress.exchange
cross join asked
left join closed_sessions
    on
        securities.exchange = closed_sessions.exchange
        and last_prices.last_date < closed_sessions.date
group by all
