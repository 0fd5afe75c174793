-- From the member days of fct_basket_daily.sql. All days of a year have one base, the last day of the year before.
create table by_hand.steps.year_bases as
with last_days as (
    select
        basket_id,
        year(date) as year,
        max(date) as base_date
    from by_hand.steps.basket_days
    group by basket_id, year(date)
),

bases as (
    select
        years.basket_id,
        years.year,
        max(last_days.base_date) as base_date
    from last_days as years
    inner join last_days on years.basket_id = last_days.basket_id and years.year > last_days.year
    group by years.basket_id, years.year
)

select
    basket_id,
    year,
    base_date
from bases
where base_date >= make_date(year, 1, 1) - 11;

create table by_hand.marts.fct_basket_market_value_daily as
with by_day as (
    select
        basket_id,
        date,
        count(*)::integer as members_priced,
        count(market_value_usd)::integer as members_valued,
        case when count(market_value_usd) = count(*) then sum(market_value_usd) end as market_value_usd,
        min(shares_as_of) as shares_as_of,
        bool_or(is_shares_backcast) as is_shares_backcast
    from by_hand.steps.member_days
    where is_priced
    group by basket_id, date
),

base_members as (
    select
        bases.basket_id,
        bases.year,
        members.symbol,
        members.market_value_usd as value,
        members.close,
        members.close_usd / members.close as usd_per_unit,
        members.shares_outstanding
    from by_hand.steps.year_bases as bases
    inner join by_hand.steps.member_days as members
        on bases.basket_id = members.basket_id and bases.base_date = members.date and members.is_priced
),

base_totals as (
    select
        basket_id,
        year,
        count(*) as members,
        sum(value) as value
    from base_members
    group by basket_id, year
),

factors as (
    select
        today.basket_id,
        today.date,
        base.symbol as base_symbol,
        today.market_value_usd as value,
        base.value as base_value,
        ln(today.close / base.close) as price_log,
        ln(today.close_usd / today.close / base.usd_per_unit) as fx_log,
        ln(today.shares_outstanding / base.shares_outstanding) as issuance_log,
        case
            when ln(today.market_value_usd / base.value) = 0 then today.market_value_usd
            else (today.market_value_usd - base.value) / ln(today.market_value_usd / base.value)
        end as mean_value
    from by_hand.steps.member_days as today
    left join base_members as base
        on today.basket_id = base.basket_id and year(today.date) = base.year and today.symbol = base.symbol
    where today.is_priced
),

effects as (
    select
        basket_id,
        date,
        coalesce(sum(mean_value * price_log), 0) as price_effect_usd,
        coalesce(sum(mean_value * fx_log), 0) as fx_effect_usd,
        coalesce(sum(mean_value * issuance_log), 0) as issuance_effect_usd,
        coalesce(sum(value) filter (where base_symbol is null), 0) as joined_usd,
        count(base_symbol) as kept,
        sum(base_value) as kept_usd
    from factors
    group by basket_id, date
)

select
    days.basket_id,
    baskets.name as basket_name,
    days.date,
    days.market_value_usd,
    days.market_value_usd - base.market_value_usd as change_ytd_usd,
    case
        when days.market_value_usd - base.market_value_usd is not null
            then effects.price_effect_usd
    end as price_effect_usd,
    case when days.market_value_usd - base.market_value_usd is not null then effects.fx_effect_usd end as fx_effect_usd,
    case when days.market_value_usd - base.market_value_usd is not null then effects.issuance_effect_usd end
        as issuance_effect_usd,
    case
        when days.market_value_usd - base.market_value_usd is not null
            then effects.joined_usd - case
                when effects.kept = base_totals.members then 0
                else base_totals.value - coalesce(effects.kept_usd, 0)
            end
    end as membership_effect_usd,
    days.members_priced,
    days.members_valued,
    days.shares_as_of,
    days.is_shares_backcast or coalesce(base.is_shares_backcast, false) as is_shares_backcast
from by_day as days
inner join seeds.baskets as baskets on days.basket_id = baskets.basket_id
inner join effects on days.basket_id = effects.basket_id and days.date = effects.date
left join by_hand.steps.year_bases as bases on days.basket_id = bases.basket_id and year(days.date) = bases.year
left join by_day as base on bases.basket_id = base.basket_id and bases.base_date = base.date
left join base_totals on bases.basket_id = base_totals.basket_id and bases.year = base_totals.year;
