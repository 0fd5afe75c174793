-- severity: critical
-- table: marts.fct_security_fundamentals
-- why: A trailing P/E or P/B is above zero, or a reason says why there is none.

select
    symbol,
    as_of,
    trailing_pe,
    trailing_pe_reason,
    price_to_book,
    price_to_book_reason
from marts.fct_security_fundamentals
where
    (trailing_pe is null) = (trailing_pe_reason is null)
    or (price_to_book is null) = (price_to_book_reason is null)
    or trailing_pe <= 0
    or price_to_book <= 0
