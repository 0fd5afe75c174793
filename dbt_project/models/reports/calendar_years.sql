-- What each basket and its comparator returned in each calendar year, as two bars a year.
with years as (
    select
        returns.*,
        factsheet.comparator_name,
        factsheet.is_simulated
    from {{ ref("fct_basket_calendar_returns") }} as returns
    inner join {{ ref("factsheet") }} as factsheet
        on returns.basket_id = factsheet.basket_id and returns.period_start <= factsheet.as_of
    where returns.period_type = 'year' and returns.currency_basis = 'local' and returns.return_type = 'price'
)

select
    basket_id,
    basket_name,
    year(period_start)::integer as year,
    basket_id as line_id,
    basket_name as line_name,
    period_return as line_return,
    counted_from,
    counted_to,
    is_partial,
    is_simulated
from years
union all
select
    basket_id,
    basket_name,
    year(period_start)::integer as year,
    comparator_basket_id as line_id,
    comparator_name as line_name,
    comparator_return as line_return,
    counted_from,
    counted_to,
    is_partial,
    is_simulated
from years
where comparator_return is not null
