-- Corrections that have something to correct: a price row of the day or, for a dividend or split, a row of the vendor's
-- on a day without one. The others correct nothing, and gate 2 names them. A correction says what was true on its own
-- day: splits up to that day are in it, later ones are not.
select
    corrections.symbol,
    corrections.date,
    corrections.field,
    corrections.value,
    coalesce(corrections.currency, securities.currency) as currency,
    corrections.date as basis_date,
    '{{ var("source") }}' as source
from {{ ref("stg_vendor_corrections") }} as corrections
inner join {{ ref("securities") }} as securities on corrections.symbol = securities.symbol
where
    (corrections.symbol, corrections.date) in (
        select
            prices.symbol,
            prices.date
        from {{ ref("stg_prices") }} as prices
    )
    or (corrections.symbol, corrections.date, corrections.field) in (
        select
            actions.symbol,
            actions.date,
            case actions.action when 'split' then 'split_ratio' else actions.action end as field
        from {{ ref("stg_corporate_actions") }} as actions
    )
    -- The prices of a later split's day were not known yet.
    or (corrections.field = 'split_ratio' and not {{ dated_by_then("corrections.date") }})
