-- Each close beside the one before it.
create or replace view quality.price_steps as
select
    symbol,
    date,
    batch_id,
    basis_date,
    close,
    is_pending,
    lag(close) over history as previous_close,
    lag(date) over history as previous_date,
    lag(batch_id) over history as previous_batch_id,
    lag(is_pending) over history as previous_is_pending
from quality.candidate_prices
window history as (partition by symbol order by date)
