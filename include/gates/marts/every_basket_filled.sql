-- severity: warning
-- table: marts.dim_baskets
-- why: A basket starts once all its initial members have a price, and for weights by market value a share count and a
--   rate; until then it has no rows, and the other baskets are published. Let the source deliver them, give a late member a later
--   valid_from, or correct base_date in baskets.csv.

with missing as (
    select
        members.basket_id,
        string_agg(members.symbol, ', ' order by members.symbol) as symbols
    from seeds.basket_members as members
    inner join seeds.baskets as baskets on members.basket_id = baskets.basket_id
    inner join seeds.securities as securities on members.symbol = securities.symbol
    where
        members.symbol not in (select valued.symbol from intermediate.int_security_values as valued)
        or (
            baskets.weighting = 'market_value'
            and (
                members.symbol not in (select counted.symbol from intermediate.int_shares_split_adjusted as counted)
                or securities.currency not in (select rates.currency from intermediate.int_fx_first_rates as rates)
            )
        )
    group by members.basket_id
)

select
    baskets.basket_id,
    case
        when
            coalesce(baskets.base_date, starts.base_date)
            > (select max(valued.date) from intermediate.int_security_values as valued)
            then 'no level yet: its base date ' || coalesce(baskets.base_date, starts.base_date) || ' is after the data'
        when baskets.base_date is not null
            then 'no level yet: no price of a member on or after its base date ' || baskets.base_date
        else
            'no level yet: no price' || if(baskets.weighting = 'market_value', ', no share count or no rate', '') || ' of '
            || coalesce(missing.symbols, 'its members')
    end as detail
from marts.dim_baskets as baskets
inner join seeds.baskets as starts on baskets.basket_id = starts.basket_id
left join missing on baskets.basket_id = missing.basket_id
where baskets.basket_id not in (select daily.basket_id from marts.fct_basket_daily as daily)
