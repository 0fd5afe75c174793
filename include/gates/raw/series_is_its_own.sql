{% set min_shared_days = 8 %}
{% set equal_share = 0.9 %}
-- severity: critical
-- table: quality.candidate_prices
-- why: Vendors have answered with one symbol's series under another's name.

with pairs as (
    select
        own.symbol,
        other.symbol as other_symbol,
        count(*) as shared_days,
        count(*) filter (where own.vendor_close = other.vendor_close) as equal_days,
        unnest(list_distinct(list(own.batch_id))) as batch_id
    from quality.candidate_prices as own
    inner join quality.candidate_prices as other
        on own.date = other.date and own.symbol <> other.symbol
    where own.is_pending
    group by own.symbol, other.symbol
)

select
    batch_id,
    symbol,
    'same closes as ' || other_symbol || ' on ' || equal_days || ' of ' || shared_days || ' days' as detail
from pairs
where shared_days >= {{ min_shared_days }} and equal_days >= {{ equal_share }} * shared_days
