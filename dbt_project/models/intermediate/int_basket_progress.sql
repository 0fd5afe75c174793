-- How far the data of each basket reach: as far as those of the slowest exchange of its present members, or of its last ones if all have left.
select
    members.basket_id,
    coalesce(
        min(progress.complete_until) filter (where coalesce(members.valid_to, '9999-12-31'::date) > progress.last_date),
        max(progress.complete_until)
    ) as complete_until
from {{ ref("basket_members") }} as members
inner join {{ ref("securities") }} as securities on members.symbol = securities.symbol
inner join {{ ref("int_exchange_progress") }} as progress on securities.exchange = progress.exchange
group by members.basket_id
