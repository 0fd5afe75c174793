-- From the member days, levels and bases of fct_basket_daily.sql. Contributions of a period are a running sum less what
-- it was before the period began: a number of the basket's days to go back.
create table by_hand.steps.basket_bases as
with relatives as (
    select
        basket_id,
        date,
        rebalance_number,
        max(value) filter (where currency_basis = 'local') as value,
        max(value) filter (where currency_basis = 'usd') as value_usd
    from by_hand.steps.relatives
    group by basket_id, date, rebalance_number
),

levels as (
    select
        basket_id,
        date,
        max(level) filter (where currency_basis = 'local' and return_type = 'price') as local_price,
        max(level) filter (where currency_basis = 'local' and return_type = 'total') as local_total,
        max(level) filter (where currency_basis = 'usd' and return_type = 'price') as usd_price,
        max(level) filter (where currency_basis = 'usd' and return_type = 'total') as usd_total
    from by_hand.steps.levels
    group by basket_id, date
),

opened as (
    select
        relatives.*,
        lag(relatives.value, 1, case when relatives.rebalance_number > 0 then 1 end) over held as value_open,
        lag(relatives.value_usd, 1, case when relatives.rebalance_number > 0 then 1 end) over held as value_usd_open,
        min(relatives.date) filter (where relatives.value is not null) over (partition by relatives.basket_id)
            as first_date,
        min(relatives.date) filter (where relatives.value_usd is not null) over (partition by relatives.basket_id)
            as first_date_usd
    from relatives
    window held as (partition by basket_id, rebalance_number order by date)
),

before as (
    select
        *,
        lag(local_price) over series as before_local_price,
        lag(local_total) over series as before_local_total,
        lag(usd_price) over series as before_usd_price,
        lag(usd_total) over series as before_usd_total,
        min(date) filter (where local_price is not null) over (partition by basket_id) as base_date,
        min(date) filter (where usd_price is not null) over (partition by basket_id) as base_date_usd
    from levels
    window series as (partition by basket_id order by date)
)

select
    before.basket_id,
    before.date,
    before.before_local_price,
    before.before_local_total,
    before.before_usd_price,
    before.before_usd_total,
    case when before.local_price is not null then 100 end as local_price_since_base,
    case when before.local_total is not null then 100 end as local_total_since_base,
    case when before.usd_price is not null then 100 end as usd_price_since_base,
    case when before.usd_total is not null then 100 end as usd_total_since_base,
    lag(before.local_price, days.back_wtd) over series as local_price_wtd,
    lag(before.local_total, days.back_wtd) over series as local_total_wtd,
    lag(before.usd_price, days.back_wtd) over series as usd_price_wtd,
    lag(before.usd_total, days.back_wtd) over series as usd_total_wtd,
    lag(before.local_price, days.back_mtd) over series as local_price_mtd,
    lag(before.local_total, days.back_mtd) over series as local_total_mtd,
    lag(before.usd_price, days.back_mtd) over series as usd_price_mtd,
    lag(before.usd_total, days.back_mtd) over series as usd_total_mtd,
    case
        when year(before.date) = year(before.base_date) and before.date >= before.base_date then 100
        else lag(before.local_price, days.back_ytd) over series
    end as local_price_ytd,
    case
        when year(before.date) = year(before.base_date) and before.date >= before.base_date then 100
        else lag(before.local_total, days.back_ytd) over series
    end as local_total_ytd,
    case
        when year(before.date) = year(before.base_date_usd) and before.date >= before.base_date_usd then 100
        else lag(before.usd_price, days.back_ytd) over series
    end as usd_price_ytd,
    case
        when year(before.date) = year(before.base_date_usd) and before.date >= before.base_date_usd then 100
        else lag(before.usd_total, days.back_ytd) over series
    end as usd_total_ytd,
    lag(before.local_price, days.back_1m) over series as local_price_1m,
    lag(before.local_total, days.back_1m) over series as local_total_1m,
    lag(before.usd_price, days.back_1m) over series as usd_price_1m,
    lag(before.usd_total, days.back_1m) over series as usd_total_1m,
    lag(before.local_price, days.back_3m) over series as local_price_3m,
    lag(before.local_total, days.back_3m) over series as local_total_3m,
    lag(before.usd_price, days.back_3m) over series as usd_price_3m,
    lag(before.usd_total, days.back_3m) over series as usd_total_3m,
    lag(before.local_price, days.back_1y) over series as local_price_1y,
    lag(before.local_total, days.back_1y) over series as local_total_1y,
    lag(before.usd_price, days.back_1y) over series as usd_price_1y,
    lag(before.usd_total, days.back_1y) over series as usd_total_1y,
    days.back_wtd,
    days.back_mtd,
    days.back_ytd,
    days.back_1m,
    days.back_3m,
    days.back_1y,
    opened.rebalance_number,
    opened.value,
    opened.value_usd,
    opened.value_open,
    opened.value_usd_open,
    opened.first_date,
    opened.first_date_usd
from before
inner join by_hand.steps.days_back as days on before.basket_id = days.basket_id and before.date = days.date
inner join opened on before.basket_id = opened.basket_id and before.date = opened.date
window series as (partition by before.basket_id order by before.date);

create table by_hand.marts.fct_basket_member_daily as
with held as (
    select
        basket_id,
        symbol,
        date,
        value,
        value_usd,
        dividend_value,
        dividend_value_usd,
        lag(value, 1, case when rebalance_number > 0 then weight end) over held as value_open,
        lag(value_usd, 1, case when rebalance_number > 0 then weight end) over held as value_usd_open
    from by_hand.steps.member_days
    window held as (partition by basket_id, symbol, rebalance_number order by date)
),

spans as (
    select
        basket_id,
        symbol,
        min(date) as first_date
    from by_hand.steps.member_days
    group by basket_id, symbol
),

days as (
    select
        bases.*,
        spans.symbol,
        held.date as held_date,
        case when bases.date > bases.first_date then held.value_open / bases.value_open end as open,
        case when bases.date > bases.first_date_usd then held.value_usd_open / bases.value_usd_open end as open_usd,
        held.value / bases.value as close,
        held.value_usd / bases.value_usd as close_usd,
        held.value / held.value_open - 1 as return_local_price,
        (held.value + held.dividend_value) / held.value_open - 1 as return_local_total,
        held.value_usd / held.value_usd_open - 1 as return_usd_price,
        (held.value_usd + held.dividend_value_usd) / held.value_usd_open - 1 as return_usd_total
    from by_hand.steps.basket_bases as bases
    inner join spans on bases.basket_id = spans.basket_id and bases.date >= spans.first_date
    left join held on bases.basket_id = held.basket_id and spans.symbol = held.symbol and bases.date = held.date
),

earned as (
    select
        *,
        coalesce(sum(open * return_local_price * before_local_price) over so_far, 0) as earned_local_price,
        coalesce(sum(open * return_local_total * before_local_total) over so_far, 0) as earned_local_total,
        coalesce(sum(open_usd * return_usd_price * before_usd_price) over so_far, 0) as earned_usd_price,
        coalesce(sum(open_usd * return_usd_total * before_usd_total) over so_far, 0) as earned_usd_total
    from days
    window so_far as (
        partition by basket_id, symbol
        order by date
        rows between unbounded preceding and current row
    )
),

wide as (
    select
        *,
        (earned_local_price - coalesce(lag(earned_local_price, back_wtd) over series, 0)) / local_price_wtd
            as contribution_local_price_wtd,
        (earned_local_price - coalesce(lag(earned_local_price, back_mtd) over series, 0)) / local_price_mtd
            as contribution_local_price_mtd,
        (earned_local_price - coalesce(lag(earned_local_price, back_ytd) over series, 0)) / local_price_ytd
            as contribution_local_price_ytd,
        (earned_local_price - coalesce(lag(earned_local_price, back_1m) over series, 0)) / local_price_1m
            as contribution_local_price_1m,
        (earned_local_price - coalesce(lag(earned_local_price, back_3m) over series, 0)) / local_price_3m
            as contribution_local_price_3m,
        (earned_local_price - coalesce(lag(earned_local_price, back_1y) over series, 0)) / local_price_1y
            as contribution_local_price_1y,
        earned_local_price / local_price_since_base as contribution_local_price_since_base,
        (earned_local_total - coalesce(lag(earned_local_total, back_wtd) over series, 0)) / local_total_wtd
            as contribution_local_total_wtd,
        (earned_local_total - coalesce(lag(earned_local_total, back_mtd) over series, 0)) / local_total_mtd
            as contribution_local_total_mtd,
        (earned_local_total - coalesce(lag(earned_local_total, back_ytd) over series, 0)) / local_total_ytd
            as contribution_local_total_ytd,
        (earned_local_total - coalesce(lag(earned_local_total, back_1m) over series, 0)) / local_total_1m
            as contribution_local_total_1m,
        (earned_local_total - coalesce(lag(earned_local_total, back_3m) over series, 0)) / local_total_3m
            as contribution_local_total_3m,
        (earned_local_total - coalesce(lag(earned_local_total, back_1y) over series, 0)) / local_total_1y
            as contribution_local_total_1y,
        earned_local_total / local_total_since_base as contribution_local_total_since_base,
        (earned_usd_price - coalesce(lag(earned_usd_price, back_wtd) over series, 0)) / usd_price_wtd
            as contribution_usd_price_wtd,
        (earned_usd_price - coalesce(lag(earned_usd_price, back_mtd) over series, 0)) / usd_price_mtd
            as contribution_usd_price_mtd,
        (earned_usd_price - coalesce(lag(earned_usd_price, back_ytd) over series, 0)) / usd_price_ytd
            as contribution_usd_price_ytd,
        (earned_usd_price - coalesce(lag(earned_usd_price, back_1m) over series, 0)) / usd_price_1m
            as contribution_usd_price_1m,
        (earned_usd_price - coalesce(lag(earned_usd_price, back_3m) over series, 0)) / usd_price_3m
            as contribution_usd_price_3m,
        (earned_usd_price - coalesce(lag(earned_usd_price, back_1y) over series, 0)) / usd_price_1y
            as contribution_usd_price_1y,
        earned_usd_price / usd_price_since_base as contribution_usd_price_since_base,
        (earned_usd_total - coalesce(lag(earned_usd_total, back_wtd) over series, 0)) / usd_total_wtd
            as contribution_usd_total_wtd,
        (earned_usd_total - coalesce(lag(earned_usd_total, back_mtd) over series, 0)) / usd_total_mtd
            as contribution_usd_total_mtd,
        (earned_usd_total - coalesce(lag(earned_usd_total, back_ytd) over series, 0)) / usd_total_ytd
            as contribution_usd_total_ytd,
        (earned_usd_total - coalesce(lag(earned_usd_total, back_1m) over series, 0)) / usd_total_1m
            as contribution_usd_total_1m,
        (earned_usd_total - coalesce(lag(earned_usd_total, back_3m) over series, 0)) / usd_total_3m
            as contribution_usd_total_3m,
        (earned_usd_total - coalesce(lag(earned_usd_total, back_1y) over series, 0)) / usd_total_1y
            as contribution_usd_total_1y,
        earned_usd_total / usd_total_since_base as contribution_usd_total_since_base
    from earned
    window series as (partition by basket_id, symbol order by date)
),

long as (
    select
        basket_id,
        symbol,
        date,
        'local' as currency_basis,
        'price' as return_type,
        case when held_date is not null then open when before_local_price is not null then 0 end as weight_open,
        case when held_date is not null then close when local_price_since_base is not null then 0 end as weight_close,
        return_local_price as return_1d,
        case
            when held_date is not null then open * return_local_price
            when before_local_price is not null then 0
        end as contribution_1d,
        contribution_local_price_wtd as contribution_wtd,
        contribution_local_price_mtd as contribution_mtd,
        contribution_local_price_ytd as contribution_ytd,
        contribution_local_price_1m as contribution_1m,
        contribution_local_price_3m as contribution_3m,
        contribution_local_price_1y as contribution_1y,
        contribution_local_price_since_base as contribution_since_base
    from wide
    union all
    select
        basket_id,
        symbol,
        date,
        'local' as currency_basis,
        'total' as return_type,
        case when held_date is not null then open when before_local_total is not null then 0 end as weight_open,
        case when held_date is not null then close when local_total_since_base is not null then 0 end as weight_close,
        return_local_total as return_1d,
        case
            when held_date is not null then open * return_local_total
            when before_local_total is not null then 0
        end as contribution_1d,
        contribution_local_total_wtd as contribution_wtd,
        contribution_local_total_mtd as contribution_mtd,
        contribution_local_total_ytd as contribution_ytd,
        contribution_local_total_1m as contribution_1m,
        contribution_local_total_3m as contribution_3m,
        contribution_local_total_1y as contribution_1y,
        contribution_local_total_since_base as contribution_since_base
    from wide
    union all
    select
        basket_id,
        symbol,
        date,
        'usd' as currency_basis,
        'price' as return_type,
        case when held_date is not null then open_usd when before_usd_price is not null then 0 end as weight_open,
        case when held_date is not null then close_usd when usd_price_since_base is not null then 0 end as weight_close,
        return_usd_price as return_1d,
        case
            when held_date is not null then open_usd * return_usd_price
            when before_usd_price is not null then 0
        end as contribution_1d,
        contribution_usd_price_wtd as contribution_wtd,
        contribution_usd_price_mtd as contribution_mtd,
        contribution_usd_price_ytd as contribution_ytd,
        contribution_usd_price_1m as contribution_1m,
        contribution_usd_price_3m as contribution_3m,
        contribution_usd_price_1y as contribution_1y,
        contribution_usd_price_since_base as contribution_since_base
    from wide
    union all
    select
        basket_id,
        symbol,
        date,
        'usd' as currency_basis,
        'total' as return_type,
        case when held_date is not null then open_usd when before_usd_total is not null then 0 end as weight_open,
        case when held_date is not null then close_usd when usd_total_since_base is not null then 0 end as weight_close,
        return_usd_total as return_1d,
        case
            when held_date is not null then open_usd * return_usd_total
            when before_usd_total is not null then 0
        end as contribution_1d,
        contribution_usd_total_wtd as contribution_wtd,
        contribution_usd_total_mtd as contribution_mtd,
        contribution_usd_total_ytd as contribution_ytd,
        contribution_usd_total_1m as contribution_1m,
        contribution_usd_total_3m as contribution_3m,
        contribution_usd_total_1y as contribution_1y,
        contribution_usd_total_since_base as contribution_since_base
    from wide
)

select
    long.basket_id,
    baskets.name as basket_name,
    long.symbol,
    securities.name as security_name,
    long.date,
    long.currency_basis,
    long.return_type,
    long.weight_open,
    long.weight_close,
    long.return_1d,
    long.contribution_1d,
    long.contribution_wtd,
    long.contribution_mtd,
    long.contribution_ytd,
    long.contribution_1m,
    long.contribution_3m,
    long.contribution_1y,
    long.contribution_since_base
from long
inner join seeds.baskets as baskets on long.basket_id = baskets.basket_id
inner join seeds.securities as securities on long.symbol = securities.symbol;
