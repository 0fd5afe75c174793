-- The last level of each week of baskets and of the indices and baskets that they are measured against. A set of
-- weeks ends on Friday (Monday to Sunday, shift 0), or on Monday to Thursday. A week counts once all data of it are there.
with subjects as (
    select distinct
        unnest([basket_id, benchmark_id]) as subject_id,
        currency_basis,
        return_type,
        week_shifts
    from {{ ref("int_basket_benchmarks") }}
),

wanted as (
    select distinct
        subject_id,
        currency_basis,
        return_type,
        unnest(week_shifts) as week_shift
    from subjects
),

levels as (
    select
        levels.basket_id as subject_id,
        levels.currency_basis,
        levels.return_type,
        levels.date,
        levels.level,
        progress.complete_until
    from {{ ref("int_basket_levels") }} as levels
    inner join {{ ref("int_basket_progress") }} as progress on levels.basket_id = progress.basket_id
    {% for basis, level in [("local", "sessions.close"), ("usd", "sessions.close / fx.units_per_usd")] %}
        union all
        select
            sessions.symbol as subject_id,
            '{{ basis }}' as currency_basis,
            'price' as return_type,
            sessions.date,
            case when sessions.is_traded then {{ level }} end as level,
            progress.complete_until
        from {{ ref("int_security_sessions") }} as sessions
        inner join {{ ref("int_exchange_progress") }} as progress on sessions.exchange = progress.exchange
        left join {{ ref("int_fx_daily") }} as fx on sessions.currency = fx.currency and sessions.date = fx.date
        where sessions.kind = 'index'
    {% endfor %}
),

weeks as (
    select
        wanted.subject_id,
        wanted.currency_basis,
        wanted.return_type,
        wanted.week_shift,
        date_trunc('week', levels.date - wanted.week_shift)::date + wanted.week_shift as week_start,
        max(levels.date) as date,
        arg_max(levels.level, levels.date) as level,
        any_value(levels.complete_until) as complete_until
    from wanted
    inner join levels
        on
            wanted.subject_id = levels.subject_id
            and wanted.currency_basis = levels.currency_basis
            and wanted.return_type = levels.return_type
    group by wanted.subject_id, wanted.currency_basis, wanted.return_type, wanted.week_shift, week_start
)

select
    subject_id,
    currency_basis,
    return_type,
    week_shift,
    week_start,
    (week_start + interval 1 week)::date as next_start,
    date,
    level
from weeks
where week_start + interval 1 week <= complete_until + 1
