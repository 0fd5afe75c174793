-- severity: critical
-- table: marts.fct_basket_comparison_daily
-- why: The excess of one basket over another is the difference of their returns.

select
    pairs.basket_id,
    pairs.comparator_basket_id,
    pairs.date,
    pairs.excess_return_ytd
from marts.fct_basket_comparison_daily as pairs
inner join marts.fct_basket_daily as one
    on
        pairs.basket_id = one.basket_id
        and pairs.date = one.date
        and pairs.currency_basis = one.currency_basis
        and pairs.return_type = one.return_type
inner join marts.fct_basket_daily as two
    on
        pairs.comparator_basket_id = two.basket_id
        and pairs.date = two.date
        and pairs.currency_basis = two.currency_basis
        and pairs.return_type = two.return_type
-- Each of the three is rounded to nine decimals.
where abs(pairs.excess_return_ytd - (one.return_ytd - two.return_ytd)) > 2e-9
