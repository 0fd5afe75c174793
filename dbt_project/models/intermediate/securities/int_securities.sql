-- The seed securities, with the columns that a file of an earlier version lacks.
select
    symbol,
    name,
    kind,
    exchange,
    currency,
    reporting_currency,
    {{ optional_columns(ref("securities"), ["sector", "country", "isin"]) }}
from {{ ref("securities") }}
