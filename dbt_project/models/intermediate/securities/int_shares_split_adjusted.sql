-- Share counts of all classes, latest version, on the latest split basis.
with latest as (
    select *
    from {{ ref("stg_shares") }}
    {{ latest_version(["symbol", "as_of"]) }}
)

select
    latest.symbol,
    latest.as_of,
    latest.shares_outstanding * {{ split_factor() }} as shares_outstanding,
    latest.share_class,
    latest.note,
    latest.source
from latest
{{ split_factor_join("latest") }}
