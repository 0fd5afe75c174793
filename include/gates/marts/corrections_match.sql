-- severity: warning
-- table: staging.stg_vendor_corrections
-- why: A correction that stands over no row of the vendor's corrects nothing: the symbol, the day or the field is
--   wrong, or the vendor lacks the row. A special dividend is a part of a dividend of its day.

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
where
    field <> 'special_dividend'
    or (symbol, date) in (
        select
            dividends.symbol,
            dividends.date
        from intermediate.int_dividends as dividends
    )
