-- severity: critical
-- table: marts.fct_corporate_actions
-- why: A dividend without an exchange rate to the price's currency would be missing from total return;
--   vendor_corrections.csv can give it in that currency.

-- Days before the first rate of all, or of a currency of securities.csv without any: see dollars_begin_later.
with in_use as (
    select currency
    from seeds.securities
    union
    select coalesce(reporting_currency, currency) as currency
    from seeds.securities
    union
    select major_currency as currency
    from seeds.minor_units
)

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
    and (
        -- The second is NULL where a currency has no rate.
        actions.currency not in (select in_use.currency from in_use)
        or (actions.date >= declared.first_date and actions.date >= traded.first_date)
    )
