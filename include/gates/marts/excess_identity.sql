-- severity: critical
-- table: marts.fct_basket_comparison_daily
-- why: The excess of one basket over another is the negative of the reverse.

select
    one.basket_id,
    one.comparator_basket_id,
    one.date,
    one.excess_return_ytd
from marts.fct_basket_comparison_daily as one
inner join marts.fct_basket_comparison_daily as reverse
    on
        one.basket_id = reverse.comparator_basket_id
        and one.comparator_basket_id = reverse.basket_id
        and one.date = reverse.date
        and one.currency_basis = reverse.currency_basis
        and one.return_type = reverse.return_type
where abs(one.excess_return_ytd + reverse.excess_return_ytd) > 1e-9
