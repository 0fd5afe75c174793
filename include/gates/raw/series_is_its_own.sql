{% set min_shared_days = 8 %}
{% set equal_share = 0.9 %}
-- severity: critical
-- table: quality.candidate_prices
-- why: Vendors have answered with one symbol's series under another's name.

-- Joined by day and close: of all pairs of symbols, few ever close alike.
with alike as (
    select
        own.symbol,
        other.symbol as other_symbol,
        count(*) as equal_days
    from quality.candidate_prices as own
    inner join quality.candidate_prices as other
        on own.date = other.date and own.vendor_close = other.vendor_close and own.symbol <> other.symbol
    where own.is_pending
    group by own.symbol, other.symbol
    having count(*) >= {{ equal_share }} * {{ min_shared_days }}
),

pairs as (
    select
        alike.symbol,
        alike.other_symbol,
        alike.equal_days,
        count(*) as shared_days,
        unnest(list_distinct(list(own.batch_id))) as batch_id
    from alike
    inner join quality.candidate_prices as own on alike.symbol = own.symbol
    inner join quality.candidate_prices as other on alike.other_symbol = other.symbol and own.date = other.date
    where own.is_pending
    group by alike.symbol, alike.other_symbol, alike.equal_days
)

select
    batch_id,
    symbol,
    'same closes as ' || other_symbol || ' on ' || equal_days || ' of ' || shared_days || ' days' as detail
from pairs
where shared_days >= {{ min_shared_days }} and equal_days >= {{ equal_share }} * shared_days
