-- severity: critical
-- table: quality.restated_prices
-- why: {{ min_restated_sessions() }} closes or more are restated by one factor that no split explains: prices adjusted
--   for dividends, or in another unit.

with compared as (
    select
        *,
        abs(factor - lag(factor) over (partition by batch_id, symbol order by date)) <= 0.1 * abs(factor - 1)
            as is_alike
    from quality.restated_prices
)

select
    batch_id,
    symbol,
    count(*) || ' restated sessions, ' || min(date) || ' to ' || max(date) || ', moved by a factor of '
    || round(median(factor), 5) as detail
from compared
group by batch_id, symbol
having
    count(*) filter (where is_alike) >= greatest({{ min_restated_sessions() }} - 1, 0.7 * count(*))
    and abs(median(factor) - 1) > 1e-4
