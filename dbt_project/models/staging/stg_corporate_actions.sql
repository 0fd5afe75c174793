-- A split after known_at is kept: it serves to undo it in values that a vendor has adjusted for it since, and for
-- nothing else.
{% set later_splits = "(action = 'split' and date >= " ~ after_known_at() ~ ")" %}

with usable as (
    {{ usable_versions("corporate_actions", ["symbol", "date", "action"], or_else=later_splits) }}
)

select
    symbol,
    date,
    action,
    value,
    currency,
    fetched_at,
    landed_at,
    basis_date,
    batch_id,
    source,
    loaded_at
from usable
