-- What each basket returned in each month, quarter and year of the calendar: from the last level before the period, or
-- from the first one there is, to the last level in it.
with steps as (
    select
        *,
        coalesce(lag(level) over series, level) as previous_level,
        coalesce(lag(date) over series, date) as previous_date
    from {{ ref("int_basket_levels") }}
    where level is not null
    window series as (
        partition by basket_id, currency_basis, return_type
        order by date
    )
),

by_period as (
    {% for period_type in ["month", "quarter", "year"] %}
        select
            *,
            '{{ period_type }}' as period_type,
            date_trunc('{{ period_type }}', date)::date as period_start,
            (date_trunc('{{ period_type }}', date) + interval 1 {{ period_type }} - interval 1 day)::date as period_end
        from steps
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- The level before the period is a peak too, or a fall on its first day would not count.
days as (
    select
        *,
        case when previous_date < date then level / previous_level - 1 end as return_1d,
        level / max(greatest(level, previous_level)) over (
            partition by basket_id, currency_basis, return_type, period_type, period_start
            order by date
            rows between unbounded preceding and current row
        ) - 1 as drawdown
    from by_period
),

periods as (
    select
        basket_id,
        period_type,
        period_start,
        period_end,
        currency_basis,
        return_type,
        min(previous_date) as counted_from,
        max(date) as counted_to,
        arg_max(level, date) / arg_min(previous_level, date) as growth,
        min(drawdown) as max_drawdown,
        arg_min(date, row(-return_1d, date)) filter (where return_1d is not null) as best_day,
        max(return_1d) as best_day_return,
        arg_min(date, row(return_1d, date)) filter (where return_1d is not null) as worst_day,
        min(return_1d) as worst_day_return
    from days
    group by basket_id, period_type, period_start, period_end, currency_basis, return_type
    having min(previous_date) < max(date)
),

-- A period without a level in the days before it has no return, as everywhere.
based as (
    select
        *,
        case when counted_from >= period_start - 1 - {{ var("max_base_age_days") }} then growth - 1 end as period_return
    from periods
)

select
    based.basket_id,
    baskets.name as basket_name,
    based.period_type,
    based.period_start,
    based.currency_basis,
    based.return_type,
    based.counted_from,
    based.counted_to,
    based.counted_from >= based.period_start or based.period_end > progress.complete_until as is_partial,
    round(based.period_return, {{ var("return_decimals") }}) as period_return,
    baskets.comparator_basket_id,
    round(last_day.comparator_level / base_day.comparator_level - 1, {{ var("return_decimals") }}) as comparator_return,
    round(
        based.period_return - (last_day.comparator_level / base_day.comparator_level - 1), {{ var("return_decimals") }}
    ) as excess_return,
    based.max_drawdown,
    based.best_day,
    round(based.best_day_return, {{ var("return_decimals") }}) as best_day_return,
    based.worst_day,
    round(based.worst_day_return, {{ var("return_decimals") }}) as worst_day_return
from based
inner join {{ ref("baskets") }} as baskets on based.basket_id = baskets.basket_id
inner join {{ ref("int_basket_progress") }} as progress on based.basket_id = progress.basket_id
{% for day, counted in [("base_day", "counted_from"), ("last_day", "counted_to")] %}
    left join {{ ref("int_basket_pair_levels") }} as {{ day }}
        on
            based.basket_id = {{ day }}.basket_id
            and baskets.comparator_basket_id = {{ day }}.comparator_basket_id
            and based.{{ counted }} = {{ day }}.date
            and based.currency_basis = {{ day }}.currency_basis
            and based.return_type = {{ day }}.return_type
{% endfor %}
