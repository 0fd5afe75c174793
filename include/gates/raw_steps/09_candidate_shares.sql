-- Each symbol's share counts as they would be if everything pending were accepted.
create or replace table quality.candidate_shares as
select
    symbol,
    as_of,
    batch_id,
    {{ is_pending() }} as is_pending,
    shares_outstanding * {{ later_splits("shares") }} as shares_on_one_basis
from raw.shares
where {{ is_not_quarantined() }}
{{ latest_version(["symbol", "as_of"]) }}
