-- The deepest fall of each series of a basket within each window: from any of its days to a later one. A window is
-- the rest of its first month and then whole months, of each of which its highest and lowest level and its own
-- deepest fall are known. So no window reads its days again.
with levels as (
    select
        * exclude (members, members_priced),
        date_trunc('month', date)::date as month
    from {{ ref("int_basket_levels") }}
    where level is not null
),

to_extremes as (
    select
        *,
        max(level) over rest_of_month as highest,
        min(level) over rest_of_month as lowest
    from levels
    window rest_of_month as (
        partition by basket_id, currency_basis, return_type, month
        order by date
        rows between current row and unbounded following
    )
),

-- From each day to the end of its month.
rests as (
    select
        *,
        min(lowest / level - 1) over rest_of_month as deepest
    from to_extremes
    window rest_of_month as (
        partition by basket_id, currency_basis, return_type, month
        order by date
        rows between current row and unbounded following
    )
),

parts as (
    select
        *,
        date as starts_on
    from rests
    union all
    select
        *,
        month as starts_on
    from rests
    qualify date = min(date) over (partition by basket_id, currency_basis, return_type, month) and date > month
),

-- The first day of each window that ends on the day.
first_days as (
    select
        *,
        {% for name, risk_window in var("risk_windows").items() %}
            first_value(date) over (
                partition by basket_id, currency_basis, return_type
                order by date
                {{ last_cycles(risk_window.cycle, risk_window.returns + 1) }}
            ) as first_{{ name }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from levels
),

windows as (
    {% for name in var("risk_windows") %}
        select
            first_days.*,
            '{{ name }}' as window_length,
            first_days.first_{{ name }} as first_date
        from first_days
        inner join {{ ref("int_basket_month_ends") }} as month_ends
            on first_days.basket_id = month_ends.basket_id and first_days.date = month_ends.date
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

wanted as (
    select
        *,
        unnest(list_prepend(
            first_date,
            generate_series(date_trunc('month', first_date) + interval 1 month, month, interval 1 month)::date[]
        )) as starts_on
    from windows
),

in_windows as (
    select
        wanted.*,
        parts.lowest,
        parts.deepest,
        max(parts.highest) over (
            partition by wanted.basket_id, wanted.currency_basis, wanted.return_type, wanted.date, wanted.window_length
            order by wanted.starts_on
            rows between unbounded preceding and 1 preceding
        ) as highest_before
    from wanted
    inner join parts
        on
            wanted.basket_id = parts.basket_id
            and wanted.currency_basis = parts.currency_basis
            and wanted.return_type = parts.return_type
            and wanted.starts_on = parts.starts_on
)

select
    basket_id,
    date,
    currency_basis,
    return_type,
    window_length,
    min(least(deepest, coalesce(lowest / highest_before - 1, deepest))) as max_drawdown
from in_windows
group by basket_id, date, currency_basis, return_type, window_length
