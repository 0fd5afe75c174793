-- The falls of each basket from a record, the deepest first.
select
    episodes.subject_id as basket_id,
    episodes.subject_name as basket_name,
    row_number() over (
        partition by episodes.subject_id
        order by episodes.depth, episodes.peak_date
    )::integer as depth_rank,
    episodes.depth,
    episodes.peak_date,
    episodes.trough_date,
    episodes.recovery_date,
    episodes.days_down,
    episodes.days_up,
    factsheet.is_simulated
from {{ ref("fct_drawdown_episodes") }} as episodes
inner join {{ ref("factsheet") }} as factsheet
    on episodes.subject_id = factsheet.basket_id and episodes.peak_date <= factsheet.as_of
where episodes.subject_kind = 'basket' and episodes.currency_basis = 'local' and episodes.return_type = 'price'
