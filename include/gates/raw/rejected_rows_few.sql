{% set rejected_share = 0.02 %}
-- severity: critical
-- table: quality.pending_units
-- why: More than {{ (100 * rejected_share) | round | int }}% of a unit's rows broke a row rule: what is
--   left is not the vendor's series.

select
    batch_id,
    symbol,
    rejected_count || ' of ' || row_count || ' rows rejected' as detail
from quality.pending_units
where rejected_count > greatest(2, {{ rejected_share }} * row_count)
