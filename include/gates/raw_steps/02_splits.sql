-- The vendor's latest version of each split, the user's correction over it.
create or replace table quality.splits as
with vendor as (
    select
        symbol,
        date as ex_date,
        value as ratio
    from raw.corporate_actions
    where
        action = 'split'
        and {{ is_not_quarantined() }}
    {{ latest_version(["symbol", "date"]) }}
),

corrections as (
    select
        symbol,
        date as ex_date,
        value as ratio
    from quality.corrections
    where field = 'split_ratio'
)

select
    coalesce(vendor.symbol, corrections.symbol) as symbol,
    coalesce(vendor.ex_date, corrections.ex_date) as ex_date,
    coalesce(corrections.ratio, vendor.ratio) as ratio
from vendor
full outer join corrections on vendor.symbol = corrections.symbol and vendor.ex_date = corrections.ex_date
where coalesce(corrections.ratio, vendor.ratio) > 0
