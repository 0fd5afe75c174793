-- The days that have headlines: each session of either market that the data reach.
select distinct sessions.date as as_of
from {{ ref("stg_exchange_sessions") }} as sessions
inner join {{ ref("int_exchange_progress") }} as progress
    on sessions.exchange = progress.exchange and sessions.date <= progress.last_date
where sessions.date >= (select min(priced.date) from {{ ref("int_security_sessions") }} as priced)
