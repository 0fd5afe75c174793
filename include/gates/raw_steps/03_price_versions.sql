-- Every version of a price that is not in quarantine, with the corrections laid over it as the marts do, on one split
-- basis.
create or replace view quality.price_versions as
with versions as (
    select
        prices.*,
        verdicts.verdict in ('accepted', 'released') as is_accepted
    from raw.prices as prices
    left join raw.current_verdicts as verdicts
        on prices.batch_id = verdicts.batch_id and prices.symbol = verdicts.symbol
    where verdicts.verdict is distinct from 'quarantined'
),

corrected as (
    select
        versions.*,
        coalesce(corrections.value, versions.close) as corrected_close,
        case when corrections.value is null then versions.basis_date else versions.date end as corrected_basis_date
    from versions
    left join quality.corrections as corrections
        on versions.symbol = corrections.symbol and versions.date = corrections.date and corrections.field = 'close'
)

select
    symbol,
    date,
    batch_id,
    open,
    high,
    low,
    close as vendor_close,
    volume,
    basis_date,
    fetched_at,
    landed_at,
    coalesce(is_accepted, false) as is_accepted,
    corrected_close / {{ later_splits("corrected", "corrected_basis_date") }} as close
from corrected
