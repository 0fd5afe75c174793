-- Figures of the accounts a listed share or receipt, the latest version of each, on the latest split basis. Each is known
-- from its publication, or from its first fetch where that came before.
with latest as (
    select
        * exclude (known_from),
        min(known_from) over (partition by symbol, period_type, period_end, published_on) as known_from
    from {{ ref("stg_fundamentals") }}
    {{ latest_version(["symbol", "period_type", "period_end", "published_on"]) }}
)

select
    latest.symbol,
    latest.period_type,
    latest.period_end,
    latest.published_on,
    latest.known_from,
    latest.known_from::date as as_of,
    latest.is_publication_assumed,
    latest.currency,
    latest.eps * latest.shares_per_receipt / {{ split_factor() }} as eps,
    latest.book_value_per_share * latest.shares_per_receipt / {{ split_factor() }} as book_value_per_share,
    latest.dividends_per_share * latest.shares_per_receipt / {{ split_factor() }} as dividends_per_share,
    latest.source
from latest
{{ split_factor_join("latest") }}
