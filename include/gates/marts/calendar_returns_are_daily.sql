-- severity: critical
-- table: marts.fct_basket_calendar_returns
-- why: The return of a month, quarter or year is the return to date of its last day; each is computed in its own way.

select
    periods.basket_id,
    periods.period_type,
    periods.period_start,
    periods.currency_basis,
    periods.return_type,
    periods.period_return
from marts.fct_basket_calendar_returns as periods
left join marts.fct_basket_daily as daily
    on
        periods.basket_id = daily.basket_id
        and periods.counted_to = daily.date
        and periods.currency_basis = daily.currency_basis
        and periods.return_type = daily.return_type
where
    case periods.period_type
        -- In the first year both count from the base; in the first month and quarter only the calendar's do.
        when 'year' then coalesce(abs(periods.period_return - daily.return_ytd) > 2e-9, periods.period_return is distinct from daily.return_ytd)
        when 'quarter' then abs(periods.period_return - daily.return_qtd) > 2e-9
        else abs(periods.period_return - daily.return_mtd) > 2e-9
    end
