-- severity: critical
-- table: marts.fct_basket_member_daily
-- why: What the members contributed is the return of their basket, also across rebalances.

{{ contributions_beside_returns("1d") }}
