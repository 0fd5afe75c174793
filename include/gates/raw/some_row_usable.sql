-- severity: critical
-- table: quality.pending_units
-- why: Every row of the unit broke a row rule, so it says nothing of its symbol. Where some rows are usable, they count,
--   and no_rejected_row names the others.

-- Of rates, fx_present asks for a recent one, whichever delivery it is from.
select
    batch_id,
    symbol,
    'all ' || row_count || ' rows rejected' as detail
from quality.pending_units
where dataset <> 'fx_rates' and row_count > 0 and rejected_count >= row_count
