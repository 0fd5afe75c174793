-- severity: critical
-- table: quality.rows_before
-- why: Rows of the last generation are gone. Look for a changed calendar_overrides.csv, a quarantined unit or a
--   withdrawn file and undo it; only if they are meant to go, ACCEPT_LOSS="reason" lets one build pass.

select
    before.table_name,
    before.symbol,
    before.month,
    before.row_count as rows_before,
    coalesce(now.row_count, 0) as rows_now
from quality.rows_before as before
inner join seeds.securities as securities on before.symbol = securities.symbol
left join quality.rows_now as now
    on before.table_name = now.table_name and before.symbol = now.symbol and before.month = now.month
where coalesce(now.row_count, 0) < before.row_count
