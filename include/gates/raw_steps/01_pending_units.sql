-- What has been fetched and not judged yet.
create or replace table quality.pending_units as
select
    windows.batch_id,
    windows.dataset,
    windows.symbol,
    windows.start_date,
    windows.end_date,
    windows.row_count,
    windows.rejected_count,
    windows.fetched_at,
    windows.landed_at
from raw.fetch_windows as windows
where
    (windows.batch_id, windows.symbol) not in (
        select (verdicts.batch_id, verdicts.symbol)
        from raw.current_verdicts as verdicts
    )
