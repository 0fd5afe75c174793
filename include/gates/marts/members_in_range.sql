-- severity: critical
-- table: marts.fct_basket_daily
-- why: No more members are priced than held, and at least one is held.

select
    basket_id,
    date,
    members,
    members_priced
from marts.fct_basket_daily
where members_priced > members or members < 1
