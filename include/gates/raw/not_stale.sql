{% set stale_sessions = 6 %}
-- severity: critical
-- table: quality.candidate_prices
-- why: {{ stale_sessions }} equal closes in a row without volume are no market price.

with recent as (
    select
        prices.*,
        row_number() over (partition by prices.symbol order by prices.date desc) as age
    from quality.candidate_prices as prices
    inner join quality.securities as securities on prices.symbol = securities.symbol
    where securities.kind = 'equity'
)

select
    unnest(list_distinct(list(batch_id) filter (where is_pending))) as batch_id,
    symbol,
    'close ' || min(close) || ' without volume since ' || min(date) as detail
from recent
where age <= {{ stale_sessions }}
group by symbol
having
    count(*) = {{ stale_sessions }}
    and min(close) = max(close)
    and coalesce(sum(volume), 0) = 0
    and bool_or(is_pending)
