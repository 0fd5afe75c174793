-- severity: warning
-- table: staging.stg_vendor_corrections
-- why: A correction that stands over no row of the vendor's corrects nothing: the symbol, the day or the field is
--   wrong, or the vendor lacks the row.

select
    symbol,
    date,
    field
from staging.stg_vendor_corrections
except
select
    symbol,
    date,
    field
from intermediate.int_corrections
