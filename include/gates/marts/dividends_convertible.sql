-- severity: critical
-- table: marts.fct_corporate_actions
-- why: A dividend without an exchange rate to the price's currency would be missing from total return;
--   vendor_corrections.csv can give it in that currency.

-- Days before the first rate of all: see dollars_begin_later.
select
    actions.symbol,
    actions.date,
    actions.value,
    actions.currency
from marts.fct_corporate_actions as actions
inner join marts.dim_securities as securities on actions.symbol = securities.symbol
left join intermediate.int_fx_first_rates as declared on actions.currency = declared.currency
left join intermediate.int_fx_first_rates as traded on securities.currency = traded.currency
where
    actions.action = 'dividend'
    and actions.value_in_price_currency is null
    and coalesce(actions.date >= greatest(declared.first_date, traded.first_date), true)
