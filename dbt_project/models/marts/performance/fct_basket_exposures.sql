-- How much of each basket lies in each sector, country and currency: after each rebalance, and at the close of the last
-- day of each month.
with month_ends as (
    select
        basket_id,
        max(date) as date
    from {{ ref("int_basket_calendar") }}
    group by basket_id, date_trunc('month', date)
),

weights as (
    select
        basket_id,
        rebalance_date as date,
        symbol,
        weight
    from {{ ref("int_basket_holdings") }}
    union all
    select
        closing.basket_id,
        closing.date,
        closing.symbol,
        coalesce(closing.weight_close_usd, closing.weight_close) as weight
    from month_ends
    inner join {{ ref("int_basket_member_steps") }} as closing
        on month_ends.basket_id = closing.basket_id and month_ends.date = closing.date
    anti join {{ ref("int_basket_turnover") }} as rebalances
        on month_ends.basket_id = rebalances.basket_id and month_ends.date = rebalances.rebalance_date
),

days as (
    select distinct
        basket_id,
        date
    from weights
),

so_far as (
    select
        days.basket_id,
        days.date,
        (date_trunc('month', days.date) - interval 11 month)::date as first_of_12_months,
        rebalances.rebalance_date is not null as is_rebalance,
        rebalances.turnover,
        sum(coalesce(rebalances.turnover, 0)) over (
            partition by days.basket_id
            order by days.date
        ) as turnover_so_far
    from days
    left join {{ ref("int_basket_turnover") }} as rebalances
        on days.basket_id = rebalances.basket_id and days.date = rebalances.rebalance_date
),

-- Calendar months: a year of 365 days would count two annual rebalances, on 31 and on 30 December, or none.
turnovers as (
    select
        so_far.*,
        so_far.turnover_so_far - coalesce(before.turnover_so_far, 0) as turnover_12m
    from so_far
    asof left join so_far as before
        on so_far.basket_id = before.basket_id and so_far.first_of_12_months > before.date
),

exposures as (
    {% for kind in ["sector", "country", "currency"] %}
        select
            weights.basket_id,
            weights.date,
            '{{ kind }}' as kind,
            coalesce(securities.{{ kind }}, 'unknown') as value,
            sum(weights.weight) as weight,
            count(*)::integer as member_count
        from weights
        inner join {{ ref("int_securities") }} as securities on weights.symbol = securities.symbol
        group by weights.basket_id, weights.date, coalesce(securities.{{ kind }}, 'unknown')
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    exposures.basket_id,
    baskets.name as basket_name,
    exposures.date,
    exposures.kind,
    exposures.value,
    exposures.weight,
    exposures.member_count,
    turnovers.is_rebalance,
    turnovers.turnover,
    case when exposures.date >= base_dates.base_date + interval 1 year then turnovers.turnover_12m end as turnover_12m
from exposures
inner join turnovers on exposures.basket_id = turnovers.basket_id and exposures.date = turnovers.date
inner join {{ ref("baskets") }} as baskets on exposures.basket_id = baskets.basket_id
inner join {{ ref("int_basket_base_dates") }} as base_dates on exposures.basket_id = base_dates.basket_id
