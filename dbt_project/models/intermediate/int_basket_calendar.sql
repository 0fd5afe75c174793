-- The days of each basket: the union of its members' sessions from the base date on. `is_common` if every member's exchange has a session.
-- Days after the data are kept and marked, since the last common session of a period is known before it comes.
with members as (
    select
        members.basket_id,
        securities.exchange,
        coalesce(members.valid_from, '1900-01-01'::date) as valid_from,
        coalesce(members.valid_to, '9999-12-31'::date) as valid_to
    from {{ ref("basket_members") }} as members
    inner join {{ ref("securities") }} as securities on members.symbol = securities.symbol
),

dates as (
    select distinct date
    from {{ ref("stg_exchange_sessions") }}
),

days as (
    select
        base_dates.basket_id,
        dates.date,
        base_dates.base_date,
        complete.complete_until
    from {{ ref("int_basket_base_dates") }} as base_dates
    inner join {{ ref("int_basket_progress") }} as complete on base_dates.basket_id = complete.basket_id
    inner join dates on base_dates.base_date <= dates.date
),

exchanges as (
    select distinct
        days.basket_id,
        days.date,
        days.complete_until,
        members.exchange
    from days
    inner join members
        on days.basket_id = members.basket_id and days.date between members.valid_from and members.valid_to
),

final as (
    select
        exchanges.basket_id,
        exchanges.date,
        exchanges.date <= any_value(exchanges.complete_until) as has_data,
        count(*) = count(sessions.date) as is_common
    from exchanges
    left join {{ ref("stg_exchange_sessions") }} as sessions
        on exchanges.exchange = sessions.exchange and exchanges.date = sessions.date
    group by exchanges.basket_id, exchanges.date
    having count(sessions.date) > 0
)

select * from final
