-- Basket levels, 100 at the base date; in dollars, where rates begin later, 100 on the first day with all of them.
-- Within a holding period the level is the last rebalance's times the weighted price relatives. Total return reinvests
-- each day's dividends across the basket: TR_t = TR_(t-1) * (PR_t + D_t) / PR_(t-1).
with by_basis as (
    {% for basis, suffix in [("local", ""), ("usd", "_usd")] %}
        select
            basket_id,
            date,
            rebalance_number,
            '{{ basis }}' as currency_basis,
            weight * close{{ suffix }} / close{{ suffix }}_bought as value,
            weight * dividend{{ suffix }} / close{{ suffix }}_bought as dividend_value,
            is_priced
        from {{ ref("int_basket_member_values") }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- Relatives to the last rebalance. A member without a value leaves none for the basket: a partial sum would be a wrong level.
relatives as (
    select
        basket_id,
        date,
        rebalance_number,
        currency_basis,
        case when count(value) = count(*) then sum(value) end as relative,
        sum(dividend_value) as dividend_relative,
        count(*) as members,
        count(*) filter (where is_priced) as members_priced
    from by_basis
    group by basket_id, date, rebalance_number, currency_basis
),

period_growth as (
    select
        basket_id,
        currency_basis,
        rebalance_number,
        arg_max(relative, date) as growth
    from relatives
    group by basket_id, currency_basis, rebalance_number
),

starting_levels as (
    select
        basket_id,
        currency_basis,
        rebalance_number,
        100 * coalesce(
            product(growth) over (
                partition by basket_id, currency_basis
                order by rebalance_number
                rows between unbounded preceding and 1 preceding
            ), 1
        ) as starting_level
    from period_growth
),

scaled as (
    select
        relatives.*,
        100 * starting_levels.starting_level / first_value(starting_levels.starting_level * relatives.relative ignore nulls) over (
            partition by relatives.basket_id, relatives.currency_basis
            order by relatives.date
            rows between unbounded preceding and unbounded following
        ) as starting_level
    from relatives
    inner join starting_levels
        on
            relatives.basket_id = starting_levels.basket_id
            and relatives.currency_basis = starting_levels.currency_basis
            and relatives.rebalance_number = starting_levels.rebalance_number
),

price_levels as (
    select
        *,
        min(date) filter (where relative is not null) over (partition by basket_id, currency_basis) as base_date,
        starting_level * relative as level,
        starting_level * dividend_relative as dividend,
        last_value(starting_level * relative ignore nulls) over (
            partition by basket_id, currency_basis
            order by date
            rows between unbounded preceding and 1 preceding
        ) as previous_level
    from scaled
),

final as (
    select
        basket_id,
        date,
        currency_basis,
        base_date,
        'price' as return_type,
        level,
        members,
        members_priced
    from price_levels
    union all
    select
        basket_id,
        date,
        currency_basis,
        base_date,
        'total' as return_type,
        case
            when level is not null
                then
                    100 * product(coalesce((level + dividend) / previous_level, 1)) over (
                        partition by basket_id, currency_basis order by date rows between unbounded preceding and current row
                    )
        end as level,
        members,
        members_priced
    from price_levels
)

select * from final
