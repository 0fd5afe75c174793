-- Contributions in points of the level, so that they add up whatever is rebalanced between: what was earned since the
-- base over the level at the base.
with first_days as (
    select
        basket_id,
        symbol,
        min(date) as first_date
    from {{ ref("int_basket_member_steps") }}
    group by basket_id, symbol
),

days as (
    select
        bases.*,
        first_days.symbol,
        steps.date as held_date,
        steps.weight_open,
        steps.weight_close,
        case bases.return_type when 'price' then steps.price_return else steps.total_return end as return_1d
    from {{ ref("int_basket_period_bases") }} as bases
    inner join first_days on bases.basket_id = first_days.basket_id and bases.date >= first_days.first_date
    left join {{ ref("int_basket_member_steps") }} as steps
        on
            bases.basket_id = steps.basket_id
            and first_days.symbol = steps.symbol
            and bases.date = steps.date
            and bases.currency_basis = steps.currency_basis
),

contributions as (
    select
        *,
        case when held_date is not null then weight_open * return_1d else 0 end as contribution_1d
    from days
),

summed as (
    select
        *,
        {% for period in var("periods_to_date") %}
            sum(contribution_1d * previous_level) over (
                partition by basket_id, symbol, currency_basis, return_type, {{ period_target(period, "date") }}
                order by date
            ) / base_level_{{ period }} as contribution_{{ period }},
        {% endfor %}
        max(held_date) over (
            partition by basket_id, symbol, currency_basis, return_type
            order by date
        ) as last_held_date
    from contributions
)

-- A member that was sold stays, without weight, as long as the year or the week to date counts a day on which it was
-- held.
select
    summed.basket_id,
    baskets.name as basket_name,
    summed.symbol,
    securities.name as security_name,
    summed.date,
    summed.currency_basis,
    summed.return_type,
    case when summed.held_date is not null then summed.weight_open else 0 end as weight_open,
    case when summed.held_date is not null then summed.weight_close else 0 end as weight_close,
    summed.return_1d,
    summed.contribution_1d,
    summed.contribution_wtd,
    summed.contribution_mtd,
    summed.contribution_ytd
from summed
inner join {{ ref("baskets") }} as baskets on summed.basket_id = baskets.basket_id
inner join {{ ref("securities") }} as securities on summed.symbol = securities.symbol
where summed.last_held_date > least({{ period_target("wtd", "summed.date") }}, {{ period_target("ytd", "summed.date") }})
