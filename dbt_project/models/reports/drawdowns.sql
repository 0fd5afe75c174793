-- The falls of each basket from a record, the deepest first, as they were on the day of its factsheet: where the data
-- of a basket go on, a later recovery is still to come, and a fall with a later trough is as deep as it was by then.
with falls as (
    select
        episodes.subject_id as basket_id,
        episodes.subject_name as basket_name,
        episodes.peak_date,
        episodes.trough_date,
        case when episodes.recovery_date <= factsheet.as_of then episodes.recovery_date end as recovery_date,
        episodes.depth,
        factsheet.as_of,
        factsheet.is_simulated
    from {{ ref("fct_drawdown_episodes") }} as episodes
    inner join {{ ref("factsheet") }} as factsheet
        on episodes.subject_id = factsheet.basket_id and episodes.peak_date <= factsheet.as_of
    where episodes.subject_kind = 'basket' and episodes.currency_basis = 'local' and episodes.return_type = 'price'
),

-- At most one a basket: its last.
deeper_since as (
    select
        falls.basket_id,
        falls.peak_date,
        min(levels.drawdown) as depth,
        arg_min(levels.date, row(levels.drawdown, levels.date)) as trough_date
    from falls
    inner join {{ ref("fct_basket_daily") }} as levels
        on falls.basket_id = levels.basket_id and levels.date between falls.peak_date and falls.as_of
    where
        falls.trough_date > falls.as_of
        and levels.currency_basis = 'local'
        and levels.return_type = 'price'
        and levels.drawdown is not null
    group by falls.basket_id, falls.peak_date
),

known as (
    select
        falls.* exclude (depth, trough_date),
        coalesce(deeper_since.depth, falls.depth) as depth,
        coalesce(deeper_since.trough_date, falls.trough_date) as trough_date
    from falls
    left join deeper_since on falls.basket_id = deeper_since.basket_id and falls.peak_date = deeper_since.peak_date
)

select
    basket_id,
    basket_name,
    row_number() over (
        partition by basket_id
        order by depth, peak_date
    )::integer as depth_rank,
    depth,
    peak_date,
    trough_date,
    recovery_date,
    trough_date - peak_date as days_down,
    recovery_date - trough_date as days_up,
    is_simulated
from known
-- Rounded, as the falls of the marts are.
where round(depth, 12) <= -{{ var("min_episode_depth") }}
