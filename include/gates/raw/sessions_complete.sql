{% set missing_share = 0.02 %}
-- severity: critical
-- table: quality.expected_sessions
-- why: More than {{ (100 * missing_share) | round | int }}% of a symbol's sessions are missing: its history was cut.

select
    batch_id,
    symbol,
    count(*) filter (where not is_present) || ' of ' || count(*) || ' sessions missing' as detail
from quality.expected_sessions
group by batch_id, symbol
having count(*) filter (where not is_present) > greatest(1, {{ missing_share }} * count(*))
