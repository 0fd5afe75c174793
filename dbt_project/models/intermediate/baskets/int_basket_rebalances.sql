-- The days after whose close each basket is set to its weights: its base date, then the last common session of each
-- period, also of those to come. A session is common if every exchange with a member in the period has it. A member
-- that leaves in the period is sold then, and one that is a member on the next session is bought. The days follow from
-- seeds and calendars alone, since what is held depends on them.
with members as (
    select
        members.basket_id,
        baskets.rebalance,
        base_dates.base_date,
        securities.exchange,
        coalesce(members.valid_from, '1900-01-01'::date) as valid_from,
        coalesce(members.valid_to, '9999-12-31'::date) as valid_to
    from {{ ref("basket_members") }} as members
    inner join {{ ref("baskets") }} as baskets on members.basket_id = baskets.basket_id
    inner join {{ ref("int_basket_base_dates") }} as base_dates on members.basket_id = base_dates.basket_id
    inner join {{ ref("securities") }} as securities on members.symbol = securities.symbol
),

days as (
    select distinct
        members.basket_id,
        members.rebalance,
        members.base_date,
        sessions.date
    from members
    inner join {{ ref("stg_exchange_sessions") }} as sessions
        on members.exchange = sessions.exchange and members.base_date <= sessions.date
),

in_periods as (
    select
        *,
        coalesce(lead(date) over (partition by basket_id order by date), date + 1) as next_session,
        case rebalance
            when 'daily' then date
            when 'monthly' then date_trunc('month', date)::date
            when 'quarterly' then date_trunc('quarter', date)::date
            when 'annual' then date_trunc('year', date)::date
        end as period_start
    from days
),

wanted as (
    select distinct
        in_periods.basket_id,
        in_periods.date,
        in_periods.period_start,
        members.exchange
    from in_periods
    inner join members
        on
            in_periods.basket_id = members.basket_id
            and in_periods.next_session >= members.valid_from
            and in_periods.period_start <= members.valid_to
    where in_periods.date > in_periods.base_date
),

common_sessions as (
    select
        wanted.basket_id,
        wanted.date,
        wanted.period_start
    from wanted
    left join {{ ref("stg_exchange_sessions") }} as sessions
        on wanted.exchange = sessions.exchange and wanted.date = sessions.date
    group by wanted.basket_id, wanted.date, wanted.period_start
    having count(*) = count(sessions.date)
),

rebalance_dates as (
    select
        basket_id,
        base_date as date
    from {{ ref("int_basket_base_dates") }}
    union
    select
        basket_id,
        max(date) as date
    from common_sessions
    group by basket_id, period_start
)

select
    rebalance_dates.basket_id,
    rebalance_dates.date as rebalance_date,
    in_periods.next_session,
    base_dates.dollars_from
from rebalance_dates
inner join {{ ref("int_basket_base_dates") }} as base_dates on rebalance_dates.basket_id = base_dates.basket_id
inner join in_periods on rebalance_dates.basket_id = in_periods.basket_id and rebalance_dates.date = in_periods.date
