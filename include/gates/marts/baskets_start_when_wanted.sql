-- severity: warning
-- table: marts.dim_baskets
-- why: A base date of the seed lies before a member's first price (or share count, for weights by market value): the
--   basket starts later than it says. Give the later date in baskets.csv, or the source older data.

select
    baskets.basket_id,
    wanted.base_date as wanted_date,
    baskets.base_date
from marts.dim_baskets as baskets
inner join seeds.baskets as wanted on baskets.basket_id = wanted.basket_id and wanted.base_date is not null
where baskets.base_date > (
    select min(sessions.date)
    from seeds.basket_members as members
    inner join seeds.securities as securities on members.symbol = securities.symbol
    inner join staging.stg_exchange_sessions as sessions on securities.exchange = sessions.exchange
    where
        members.basket_id = baskets.basket_id
        and sessions.date >= wanted.base_date
        and wanted.base_date between coalesce(members.valid_from, wanted.base_date)
        and coalesce(members.valid_to, wanted.base_date)
)
