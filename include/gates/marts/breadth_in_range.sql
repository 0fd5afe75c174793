-- severity: critical
-- table: marts.fct_basket_valuation_daily
-- why: Breadth lies between -1 (all revised down) and 1, and counts members that are priced.

select
    basket_id,
    date,
    revision_breadth_7d,
    revision_breadth_30d,
    revision_breadth_90d
from marts.fct_basket_valuation_daily
where
    greatest(abs(revision_breadth_7d), abs(revision_breadth_30d), abs(revision_breadth_90d)) > 1
    or greatest(revision_members_7d, revision_members_30d, revision_members_90d) > members_priced
