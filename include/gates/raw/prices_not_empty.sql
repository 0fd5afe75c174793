-- severity: critical
-- table: quality.pending_units
-- why: A unit without a single usable row says nothing about its symbol.

select
    batch_id,
    symbol,
    'no usable row among ' || row_count || ' delivered' as detail
from quality.pending_units
where
    dataset = 'prices'
    and symbol not in (select prices.symbol from quality.candidate_prices as prices)
