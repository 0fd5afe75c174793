-- severity: warning
-- table: quality.candidate_prices
-- why: Some vendors fill half-days with a flat row whose price is not the close; it is published as is_suspect.

select
    prices.batch_id,
    prices.symbol,
    count(*) || ' flat half-days without volume, last ' || max(prices.date) as detail
from quality.candidate_prices as prices
inner join quality.securities as securities
    on prices.symbol = securities.symbol and securities.kind = 'equity'
inner join raw.exchange_sessions as sessions
    on securities.exchange = sessions.exchange and prices.date = sessions.date and sessions.is_half_day
where
    prices.is_pending
    and prices.volume = 0
    and prices.open = prices.high
    and prices.high = prices.low
    and prices.low = prices.vendor_close
group by prices.batch_id, prices.symbol
