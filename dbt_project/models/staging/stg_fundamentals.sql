with usable as (
    {{ usable_versions("fundamentals", ["symbol", "period_type", "period_end", "published_on"]) }}
)

select
    symbol,
    period_type,
    period_end,
    published_on,
    is_publication_assumed,
    currency,
    eps,
    book_value_per_share,
    dividends_per_share,
    shares_per_receipt,
    note,
    known_from,
    fetched_at,
    landed_at,
    basis_date,
    batch_id,
    source,
    loaded_at
from usable
