-- From the member days and levels of fct_basket_daily.sql. Contributions of a period are a running sum less what it was
-- before the period began: a number of the basket's days to go back.
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
        lag(date) over series as previous_date,
        lag(local_price) over series as before_local_price,
        lag(local_total) over series as before_local_total,
        lag(usd_price) over series as before_usd_price,
        lag(usd_total) over series as before_usd_total,
        min(date) filter (where local_price is not null) over (partition by basket_id) as base_date,
        min(date) filter (where usd_price is not null) over (partition by basket_id) as base_date_usd
    from levels
    window series as (partition by basket_id order by date)
),

based as (
    select
        basket_id,
        date,
        before_local_price,
        before_local_total,
        before_usd_price,
        before_usd_total,
        row_number() over week as days_wtd,
        case
            when first_value(previous_date) over week >= date_trunc('week', date)::date - 11
                then first_value(before_local_price) over week
        end as local_price_wtd,
        case
            when first_value(previous_date) over week >= date_trunc('week', date)::date - 11
                then first_value(before_local_total) over week
        end as local_total_wtd,
        case
            when first_value(previous_date) over week >= date_trunc('week', date)::date - 11
                then first_value(before_usd_price) over week
        end as usd_price_wtd,
        case
            when first_value(previous_date) over week >= date_trunc('week', date)::date - 11
                then first_value(before_usd_total) over week
        end as usd_total_wtd,
        row_number() over month as days_mtd,
        case
            when first_value(previous_date) over month >= date_trunc('month', date)::date - 11
                then first_value(before_local_price) over month
        end as local_price_mtd,
        case
            when first_value(previous_date) over month >= date_trunc('month', date)::date - 11
                then first_value(before_local_total) over month
        end as local_total_mtd,
        case
            when first_value(previous_date) over month >= date_trunc('month', date)::date - 11
                then first_value(before_usd_price) over month
        end as usd_price_mtd,
        case
            when first_value(previous_date) over month >= date_trunc('month', date)::date - 11
                then first_value(before_usd_total) over month
        end as usd_total_mtd,
        row_number() over year as days_ytd,
        case
            when year(date) = year(base_date) and date >= base_date then 100
            when first_value(previous_date) over year >= date_trunc('year', date)::date - 11
                then first_value(before_local_price) over year
        end as local_price_ytd,
        case
            when year(date) = year(base_date) and date >= base_date then 100
            when first_value(previous_date) over year >= date_trunc('year', date)::date - 11
                then first_value(before_local_total) over year
        end as local_total_ytd,
        case
            when year(date) = year(base_date_usd) and date >= base_date_usd then 100
            when first_value(previous_date) over year >= date_trunc('year', date)::date - 11
                then first_value(before_usd_price) over year
        end as usd_price_ytd,
        case
            when year(date) = year(base_date_usd) and date >= base_date_usd then 100
            when first_value(previous_date) over year >= date_trunc('year', date)::date - 11
                then first_value(before_usd_total) over year
        end as usd_total_ytd
    from before
    window
        week as (partition by basket_id, date_trunc('week', date) order by date),
        month as (partition by basket_id, date_trunc('month', date) order by date),
        year as (partition by basket_id, date_trunc('year', date) order by date)
)

select
    based.*,
    opened.rebalance_number,
    opened.value,
    opened.value_usd,
    opened.value_open,
    opened.value_usd_open,
    opened.first_date,
    opened.first_date_usd
from based
inner join opened on based.basket_id = opened.basket_id and based.date = opened.date;

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
        max(held_date) over so_far as last_held_date,
        sum(coalesce(open * return_local_price * before_local_price, 0)) over so_far as earned_local_price,
        sum(coalesce(open * return_local_total * before_local_total, 0)) over so_far as earned_local_total,
        sum(coalesce(open_usd * return_usd_price * before_usd_price, 0)) over so_far as earned_usd_price,
        sum(coalesce(open_usd * return_usd_total * before_usd_total, 0)) over so_far as earned_usd_total
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
        (earned_local_price - coalesce(lag(earned_local_price, days_wtd) over series, 0)) / local_price_wtd
            as contribution_local_price_wtd,
        (earned_local_total - coalesce(lag(earned_local_total, days_wtd) over series, 0)) / local_total_wtd
            as contribution_local_total_wtd,
        (earned_usd_price - coalesce(lag(earned_usd_price, days_wtd) over series, 0)) / usd_price_wtd
            as contribution_usd_price_wtd,
        (earned_usd_total - coalesce(lag(earned_usd_total, days_wtd) over series, 0)) / usd_total_wtd
            as contribution_usd_total_wtd,
        (earned_local_price - coalesce(lag(earned_local_price, days_mtd) over series, 0)) / local_price_mtd
            as contribution_local_price_mtd,
        (earned_local_total - coalesce(lag(earned_local_total, days_mtd) over series, 0)) / local_total_mtd
            as contribution_local_total_mtd,
        (earned_usd_price - coalesce(lag(earned_usd_price, days_mtd) over series, 0)) / usd_price_mtd
            as contribution_usd_price_mtd,
        (earned_usd_total - coalesce(lag(earned_usd_total, days_mtd) over series, 0)) / usd_total_mtd
            as contribution_usd_total_mtd,
        (coalesce(earned_local_price, 0) - coalesce(lag(earned_local_price, days_ytd) over series, 0)) / local_price_ytd
            as contribution_local_price_ytd,
        (coalesce(earned_local_total, 0) - coalesce(lag(earned_local_total, days_ytd) over series, 0)) / local_total_ytd
            as contribution_local_total_ytd,
        (coalesce(earned_usd_price, 0) - coalesce(lag(earned_usd_price, days_ytd) over series, 0)) / usd_price_ytd
            as contribution_usd_price_ytd,
        (coalesce(earned_usd_total, 0) - coalesce(lag(earned_usd_total, days_ytd) over series, 0)) / usd_total_ytd
            as contribution_usd_total_ytd
    from earned
    window series as (partition by basket_id, symbol order by date)
),

-- A member that was sold stays as long as the year or the week counts a day on which it was held.
shown as (
    select *
    from wide
    where last_held_date > least(date_trunc('week', date)::date - 1, date_trunc('year', date)::date - 1)
),

long as (
    select
        basket_id,
        symbol,
        date,
        'local' as currency_basis,
        'price' as return_type,
        case when held_date is not null then open else 0 end as weight_open,
        case when held_date is not null then close else 0 end as weight_close,
        return_local_price as return_1d,
        case when held_date is not null then open * return_local_price else 0 end as contribution_1d,
        contribution_local_price_wtd as contribution_wtd,
        contribution_local_price_mtd as contribution_mtd,
        contribution_local_price_ytd as contribution_ytd
    from shown
    union all
    select
        basket_id,
        symbol,
        date,
        'local' as currency_basis,
        'total' as return_type,
        case when held_date is not null then open else 0 end as weight_open,
        case when held_date is not null then close else 0 end as weight_close,
        return_local_total as return_1d,
        case when held_date is not null then open * return_local_total else 0 end as contribution_1d,
        contribution_local_total_wtd as contribution_wtd,
        contribution_local_total_mtd as contribution_mtd,
        contribution_local_total_ytd as contribution_ytd
    from shown
    union all
    select
        basket_id,
        symbol,
        date,
        'usd' as currency_basis,
        'price' as return_type,
        case when held_date is not null then open_usd else 0 end as weight_open,
        case when held_date is not null then close_usd else 0 end as weight_close,
        return_usd_price as return_1d,
        case when held_date is not null then open_usd * return_usd_price else 0 end as contribution_1d,
        contribution_usd_price_wtd as contribution_wtd,
        contribution_usd_price_mtd as contribution_mtd,
        contribution_usd_price_ytd as contribution_ytd
    from shown
    union all
    select
        basket_id,
        symbol,
        date,
        'usd' as currency_basis,
        'total' as return_type,
        case when held_date is not null then open_usd else 0 end as weight_open,
        case when held_date is not null then close_usd else 0 end as weight_close,
        return_usd_total as return_1d,
        case when held_date is not null then open_usd * return_usd_total else 0 end as contribution_1d,
        contribution_usd_total_wtd as contribution_wtd,
        contribution_usd_total_mtd as contribution_mtd,
        contribution_usd_total_ytd as contribution_ytd
    from shown
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
    long.contribution_ytd
from long
inner join seeds.baskets as baskets on long.basket_id = baskets.basket_id
inner join seeds.securities as securities on long.symbol = securities.symbol;
