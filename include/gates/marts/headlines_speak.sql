-- severity: critical
-- table: marts.fct_headlines
-- why: A headline without a sentence says nothing.

select
    as_of,
    headline_id
from marts.fct_headlines
where sentence is null or value_text is null
