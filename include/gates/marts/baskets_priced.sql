-- severity: warning
-- table: marts.fct_basket_daily
-- why: No member of the basket has a close of its last {{ var("max_sessions_missed") }} sessions: the level stands
--   still, and there is no market value and no P/E.

select
    basket_id,
    count(distinct date) as days,
    max(date) as last_day
from marts.fct_basket_daily
where members_priced = 0
group by basket_id
