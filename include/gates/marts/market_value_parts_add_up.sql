-- severity: critical
-- table: marts.fct_basket_market_value_daily
-- why: The parts of a change in market value are the whole of it, to the cent or, above a trillion dollars, as exact as
--   a double holds the sum.

select
    basket_id,
    date,
    change_ytd_usd,
    price_effect_usd + fx_effect_usd + issuance_effect_usd + membership_effect_usd as parts_usd
from marts.fct_basket_market_value_daily
where
    abs(parts_usd - change_ytd_usd) > greatest(0.01, 1e-14 * (market_value_usd + abs(change_ytd_usd)))
    or (parts_usd is null) <> (change_ytd_usd is null)
