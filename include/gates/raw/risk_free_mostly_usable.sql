{% set most_rejected, most_rejected_share = 2, 0.02 %}
-- severity: critical
-- table: quality.pending_units
-- why: Where more than {{ most_rejected }} rows and {{ most_rejected_share }} of all are rejected, the others are no safer:
--   of rates in per cent, 4.3 is rejected and 0.3 would count as 30%.

-- A rejected row that a vendor repeats is kept once, so it may stand there with an earlier batch.
with examples as (
    select
        symbol,
        arg_max(
            coalesce(date::varchar, 'no date') || ' (' || array_to_string(reasons, ', ') || ')', (loaded_at, date)
        ) as example
    from raw.rejected_rows
    where dataset = 'risk_free'
    group by symbol
)

select
    units.batch_id,
    units.symbol,
    units.rejected_count || ' of ' || units.row_count || ' rows rejected, such as ' || examples.example as detail
from quality.pending_units as units
inner join examples on units.symbol = examples.symbol
where
    units.dataset = 'risk_free'
    and units.rejected_count > {{ most_rejected }}
    and units.rejected_count > {{ most_rejected_share }} * units.row_count
