-- severity: critical
-- table: quality.restated_prices
-- why: {{ min_restated_sessions() }} closes or more are now those of the next or the last session: the vendor has
--   moved the series by a day.

with compared as (
    select
        *,
        abs(close / accepted_close_before - 1) < 1e-6 as is_of_before,
        abs(close / accepted_close_after - 1) < 1e-6 as is_of_after
    from quality.restated_prices
)

select
    batch_id,
    symbol,
    'the closes of ' || count(*) filter (where is_of_before or is_of_after) || ' of ' || count(*)
    || ' restated sessions, ' || min(date) || ' to ' || max(date) || ', are those of the session beside them' as detail
from compared
group by batch_id, symbol
having
    greatest(count(*) filter (where is_of_before), count(*) filter (where is_of_after))
    >= greatest({{ min_restated_sessions() }}, 0.8 * count(*))
