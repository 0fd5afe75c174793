-- severity: critical
-- table: marts.fct_corporate_actions
-- why: A dividend without an exchange rate to the price's currency would be missing from total return;
--   vendor_corrections.csv can give it in that currency.

select
    symbol,
    date,
    value,
    currency
from marts.fct_corporate_actions
where action = 'dividend' and value_in_price_currency is null
