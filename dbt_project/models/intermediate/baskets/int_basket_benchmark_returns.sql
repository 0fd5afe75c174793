-- Weekly returns of each series of a basket beside those of each of its benchmarks, over the same weeks of both: a
-- week without one of the two has neither. A return counts from the basket's week before. Active is what a basket
-- gains on an index; a comparator is no benchmark that it is run against.
with levels as (
    select
        benchmarks.basket_id,
        benchmarks.benchmark_id,
        benchmarks.currency_basis,
        benchmarks.return_type,
        benchmarks.benchmark_kind,
        own.week_shift,
        own.week_start,
        own.next_start,
        own.date,
        own.level,
        other.level as benchmark_level
    from {{ ref("int_basket_benchmarks") }} as benchmarks
    inner join {{ ref("int_benchmark_weeks") }} as own
        on
            benchmarks.basket_id = own.subject_id
            and benchmarks.currency_basis = own.currency_basis
            and benchmarks.return_type = own.return_type
    left join {{ ref("int_benchmark_weeks") }} as other
        on
            benchmarks.benchmark_id = other.subject_id
            and benchmarks.currency_basis = other.currency_basis
            and benchmarks.return_type = other.return_type
            and own.week_shift = other.week_shift
            and own.week_start = other.week_start
    -- A basket may have more sets of weeks for another benchmark.
    where list_contains(benchmarks.week_shifts, own.week_shift)
),

returns as (
    select
        *,
        level / lag(level) over series - 1 as basket_return,
        benchmark_level / lag(benchmark_level) over series - 1 as benchmark_return,
        {{ is_recent_base("lag(date) over series", "week_start") }} as is_base_recent
    from levels
    window series as (
        partition by basket_id, benchmark_id, currency_basis, return_type, week_shift
        order by week_start
    )
),

paired as (
    select
        * replace (
            case when is_base_recent and benchmark_return is not null then basket_return end as basket_return,
            case when is_base_recent and basket_return is not null then benchmark_return end as benchmark_return
        )
    from returns
)

select
    basket_id,
    benchmark_id,
    currency_basis,
    return_type,
    week_shift,
    week_start,
    next_start,
    basket_return,
    benchmark_return,
    case when benchmark_kind = 'index' then basket_return - benchmark_return end as active_return
from paired
