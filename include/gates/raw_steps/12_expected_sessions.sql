-- The sessions that each pending price unit should cover: from the symbol's first price to the window's end.
create or replace table quality.expected_sessions as
with firsts as (
    select
        symbol,
        min(date) as first_date
    from quality.candidate_prices
    group by symbol
)

select
    units.batch_id,
    units.symbol,
    sessions.date,
    sessions.is_half_day,
    prices.date is not null as is_present,
    units.end_date,
    units.start_date
from quality.pending_units as units
inner join quality.securities as securities on units.symbol = securities.symbol
inner join firsts on units.symbol = firsts.symbol
inner join raw.exchange_sessions as sessions
    on securities.exchange = sessions.exchange and sessions.date between firsts.first_date and units.end_date
left join quality.candidate_prices as prices on units.symbol = prices.symbol and sessions.date = prices.date
where units.dataset = 'prices'
