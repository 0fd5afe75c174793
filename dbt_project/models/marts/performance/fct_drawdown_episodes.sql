-- From each record to the next one a series is below it; the episodes that went deep enough. Carried closes set neither
-- a record nor a trough.
with levels as (
    select
        basket_id as subject_id,
        currency_basis,
        return_type,
        date,
        level
    from {{ ref("int_basket_levels") }}
    where level is not null
    union all
    select
        symbol as subject_id,
        'local' as currency_basis,
        'price' as return_type,
        date,
        close as level
    from {{ ref("int_security_sessions") }}
    where is_traded
),

marked as (
    select
        *,
        level = max(level) over so_far as is_record
    from levels
    window so_far as (
        partition by subject_id, currency_basis, return_type
        order by date
        rows between unbounded preceding and current row
    )
),

numbered as (
    select
        *,
        count(*) filter (where is_record) over so_far as records
    from marked
    window so_far as (
        partition by subject_id, currency_basis, return_type
        order by date
        rows between unbounded preceding and current row
    )
),

between_records as (
    select
        subject_id,
        currency_basis,
        return_type,
        min(date) as peak_date,
        max(level) as peak_level,
        min(level) as trough_level,
        arg_min(date, row(level, date)) as trough_date
    from numbered
    group by subject_id, currency_basis, return_type, records
),

episodes as (
    select
        *,
        trough_level / peak_level - 1 as depth,
        lead(peak_date) over (
            partition by subject_id, currency_basis, return_type
            order by peak_date
        ) as recovery_date
    from between_records
)

select
    episodes.subject_id,
    case when securities.symbol is null then 'basket' else securities.kind end as subject_kind,
    coalesce(securities.name, baskets.name) as subject_name,
    baskets.basket_id,
    baskets.name as basket_name,
    securities.symbol,
    securities.name as security_name,
    episodes.currency_basis,
    episodes.return_type,
    episodes.peak_date,
    episodes.trough_date,
    episodes.recovery_date,
    episodes.depth,
    episodes.peak_level,
    episodes.trough_level,
    episodes.trough_date - episodes.peak_date as days_down,
    episodes.recovery_date - episodes.trough_date as days_up
from episodes
left join {{ ref("securities") }} as securities on episodes.subject_id = securities.symbol
left join {{ ref("baskets") }} as baskets on episodes.subject_id = baskets.basket_id
-- Rounded first: in binary, 95 / 100 - 1 lies a hair above -0.05.
where round(episodes.depth, 12) <= -{{ var("min_episode_depth") }}
