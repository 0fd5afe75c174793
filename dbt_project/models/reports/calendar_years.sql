-- What each basket and its comparator returned in each calendar year, as two bars a year. Where the data of a basket go
-- on after the day of its factsheet, its running year ends on that day, on which its comparator has a level too.
with years as (
    select
        returns.basket_id,
        returns.basket_name,
        year(returns.period_start)::integer as year,
        returns.counted_from,
        least(returns.counted_to, factsheet.as_of) as counted_to,
        returns.is_partial or returns.counted_to > factsheet.as_of as is_partial,
        case
            when returns.counted_to > factsheet.as_of then factsheet.return_ytd
            else returns.period_return
        end as basket_return,
        returns.comparator_basket_id,
        factsheet.comparator_name,
        factsheet.is_simulated
    from {{ ref("fct_basket_calendar_returns") }} as returns
    inner join {{ ref("factsheet") }} as factsheet
        on
            returns.basket_id = factsheet.basket_id
            and returns.period_start <= factsheet.as_of
            and returns.counted_from < factsheet.as_of
    where returns.period_type = 'year' and returns.currency_basis = 'local' and returns.return_type = 'price'
),

comparator_levels as (
    select
        basket_id,
        date,
        comparator_level_rebased as level
    from {{ ref("fct_basket_comparison_daily") }}
    where
        is_default_comparator
        and currency_basis = 'local'
        and return_type = 'price'
        and comparator_level_rebased is not null
)

select
    basket_id,
    basket_name,
    year,
    basket_id as line_id,
    basket_name as line_name,
    basket_return as line_return,
    counted_from,
    counted_to,
    is_partial,
    is_simulated
from years
union all
select
    years.basket_id,
    years.basket_name,
    years.year,
    years.comparator_basket_id as line_id,
    years.comparator_name as line_name,
    round(last_day.level / base_day.level - 1, {{ var("return_decimals") }}) as line_return,
    years.counted_from,
    years.counted_to,
    years.is_partial,
    years.is_simulated
from years
inner join comparator_levels as base_day on years.basket_id = base_day.basket_id and years.counted_from = base_day.date
inner join comparator_levels as last_day on years.basket_id = last_day.basket_id and years.counted_to = last_day.date
