-- severity: critical
-- table: marts.fct_event_windows
-- why: From one session of a window to the next the level moves by the subject's own return of the day: otherwise
--   levels of two subjects were mixed up.

with daily as (
    select
        basket_id as subject_id,
        date,
        return_1d
    from marts.fct_basket_daily
    where currency_basis = 'local' and return_type = 'price'
    union all
    select
        symbol as subject_id,
        date,
        return_1d
    from marts.fct_security_daily
    union all
    select
        symbol as subject_id,
        date,
        return_1d
    from marts.fct_index_daily
),

steps as (
    select
        *,
        (1 + cumulative_return)
        / (1 + lag(cumulative_return) over (partition by event_id, subject_id order by session_offset)) as growth
    from marts.fct_event_windows
)

select
    steps.event_id,
    steps.subject_id,
    steps.date,
    steps.growth,
    daily.return_1d
from steps
left join daily on steps.subject_id = daily.subject_id and steps.date = daily.date
where steps.growth is not null and coalesce(abs(steps.growth - 1 - daily.return_1d) > 1e-9, true)
