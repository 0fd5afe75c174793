-- severity: warning
-- table: quality.pending_units
-- why: Rejected rows are kept with their reasons in ops.rejected_rows: correct them at the source and deliver them
--   again.

-- A rejected row that a vendor repeats is kept once, so it may stand there with an earlier batch.
with examples as (
    select
        dataset,
        symbol,
        arg_max(
            coalesce(date::varchar, 'no date') || ' (' || array_to_string(reasons, ', ') || ')', (loaded_at, date)
        ) as example
    from raw.rejected_rows
    group by dataset, symbol
)

select
    units.batch_id,
    units.symbol,
    units.rejected_count || ' rejected' || coalesce(', such as ' || examples.example, '') as detail
from quality.pending_units as units
left join examples on units.dataset = examples.dataset and units.symbol = examples.symbol
where units.rejected_count > 0
