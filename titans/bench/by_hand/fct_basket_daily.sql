-- From the equities of fct_security_daily.sql: when each basket is rebalanced, what it then holds, what that is worth
-- on each of its days, and the levels.
create table by_hand.steps.members as
select
    members.basket_id,
    members.symbol,
    baskets.weighting,
    baskets.rebalance,
    baskets.base_date as wanted,
    securities.exchange,
    securities.currency,
    coalesce(members.valid_from, '1900-01-01'::date) as valid_from,
    coalesce(members.valid_to, '9999-12-31'::date) as valid_to
from seeds.basket_members as members
inner join seeds.baskets as baskets on members.basket_id = baskets.basket_id
inner join seeds.securities as securities on members.symbol = securities.symbol;

create table by_hand.steps.first_rates as
select
    currency,
    min(date) as first_date,
    arg_min(units_per_usd, date) as units_per_usd
from by_hand.steps.rates
where units_per_usd is not null
group by currency;

create table by_hand.steps.base_dates as
with initial_members as (
    select *
    from by_hand.steps.members
    qualify coalesce(wanted, min(valid_from) over (partition by basket_id)) between valid_from and valid_to - 1
),

first_prices as (
    select
        symbol,
        min(date) as first_date
    from by_hand.steps.equities
    group by symbol
),

first_counts as (
    select
        symbol,
        min(as_of) as first_date
    from by_hand.steps.shares
    group by symbol
),

ready as (
    select
        members.basket_id,
        max(rates.first_date) as dollars_from,
        greatest(
            max(prices.first_date),
            max(case when members.weighting = 'market_value' then greatest(counts.first_date, rates.first_date) end),
            max(members.valid_from),
            any_value(members.wanted)
        ) as date
    from initial_members as members
    left join first_prices as prices on members.symbol = prices.symbol
    left join first_counts as counts on members.symbol = counts.symbol
    left join by_hand.steps.first_rates as rates on members.currency = rates.currency
    group by members.basket_id, members.weighting
    having
        count(*) = count(prices.first_date)
        and (
            members.weighting = 'equal'
            or (count(*) = count(counts.first_date) and count(*) = count(rates.first_date))
        )
)

select
    ready.basket_id,
    ready.dollars_from,
    min(days.date) as base_date
from ready
inner join initial_members as members on ready.basket_id = members.basket_id
inner join by_hand.steps.exchange_days as days on members.exchange = days.exchange and ready.date <= days.date
group by ready.basket_id, ready.dollars_from;

create table by_hand.steps.rebalances as
with spans as (
    select distinct
        basket_id,
        rebalance,
        exchange,
        valid_from,
        valid_to
    from by_hand.steps.members
),

days as (
    select distinct
        spans.basket_id,
        spans.rebalance,
        bases.base_date,
        days.date
    from spans
    inner join by_hand.steps.base_dates as bases on spans.basket_id = bases.basket_id
    inner join by_hand.steps.exchange_days as days on spans.exchange = days.exchange and bases.base_date <= days.date
),

in_periods as (
    select
        *,
        coalesce(lead(date) over (partition by basket_id order by date), date + 1) as next_session,
        case rebalance
            when 'daily' then date
            when 'monthly' then date_trunc('month', date)::date
            when 'quarterly' then date_trunc('quarter', date)::date
            when 'annual' then date_trunc('year', date)::date
        end as period_start
    from days
),

common as (
    select
        in_periods.basket_id,
        in_periods.date,
        in_periods.period_start
    from in_periods
    inner join spans
        on
            in_periods.basket_id = spans.basket_id
            and in_periods.next_session >= spans.valid_from
            and in_periods.period_start <= spans.valid_to
    left join by_hand.steps.exchange_days as sessions
        on spans.exchange = sessions.exchange and in_periods.date = sessions.date
    where in_periods.date > in_periods.base_date
    group by in_periods.basket_id, in_periods.date, in_periods.period_start
    having count(*) = count(sessions.date)
),

dates as (
    select
        basket_id,
        base_date as date
    from by_hand.steps.base_dates
    union
    select
        basket_id,
        max(date) as date
    from common
    group by basket_id, period_start
)

select
    dates.basket_id,
    dates.date,
    in_periods.next_session
from dates
inner join in_periods on dates.basket_id = in_periods.basket_id and dates.date = in_periods.date;

create table by_hand.steps.progress as
with exchanges as (
    select
        last_days.exchange,
        coalesce(min(days.date) - 1, last_days.last_date) as complete_until
    from by_hand.steps.last_days as last_days
    left join by_hand.steps.exchange_days as days
        on last_days.exchange = days.exchange and last_days.last_date < days.date
    group by last_days.exchange, last_days.last_date
),

spans as (
    select
        members.basket_id,
        members.exchange,
        min(rebalances.date) filter (where rebalances.next_session >= members.valid_from) as bought_on,
        min(rebalances.date) filter (where rebalances.next_session > members.valid_to) as sold_on
    from by_hand.steps.members as members
    inner join by_hand.steps.rebalances as rebalances on members.basket_id = rebalances.basket_id
    group by members.basket_id, members.exchange, members.symbol, members.valid_from
)

select
    spans.basket_id,
    coalesce(
        min(
            case
                when spans.sold_on is null or spans.sold_on > exchanges.complete_until
                    then greatest(exchanges.complete_until, spans.bought_on - 1)
            end
        ),
        max(spans.sold_on)
    ) as complete_until
from spans
inner join exchanges on spans.exchange = exchanges.exchange
where spans.bought_on < coalesce(spans.sold_on, '9999-12-31'::date)
group by spans.basket_id;

create table by_hand.steps.holdings as
with wanted as (
    select
        rebalances.basket_id,
        rebalances.date,
        bases.dollars_from,
        members.symbol,
        members.exchange,
        members.currency,
        members.weighting
    from by_hand.steps.rebalances as rebalances
    inner join by_hand.steps.base_dates as bases on rebalances.basket_id = bases.basket_id
    inner join by_hand.steps.progress as progress
        on rebalances.basket_id = progress.basket_id and rebalances.date <= progress.complete_until
    left join by_hand.steps.members as members
        on
            rebalances.basket_id = members.basket_id
            and rebalances.next_session between members.valid_from and members.valid_to
),

bought as (
    select
        wanted.*,
        prices.close,
        prices.close / coalesce(rates.units_per_usd, first_rates.units_per_usd) as close_usd,
        shares.shares_outstanding * prices.close / rates.units_per_usd as market_value_usd
    from wanted
    asof inner join by_hand.steps.equities as prices on wanted.symbol = prices.symbol and wanted.date >= prices.date
    left join by_hand.steps.rates as rates on wanted.currency = rates.currency and wanted.date = rates.date
    left join by_hand.steps.first_rates as first_rates
        on wanted.currency = first_rates.currency and wanted.date < first_rates.first_date
    asof left join by_hand.steps.shares as shares on wanted.symbol = shares.symbol and wanted.date >= shares.as_of
    where
        prices.sessions_missed <= 5
        and (wanted.weighting = 'equal' or (shares.as_of is not null and rates.units_per_usd is not null))
        and (first_rates.currency is null or wanted.date < wanted.dollars_from)
),

-- A rebalance at which nothing can be bought changes nothing, unless the basket has no member any more.
made as (
    select
        wanted.basket_id,
        wanted.date,
        row_number() over (partition by wanted.basket_id order by wanted.date) - 1 as rebalance_number,
        lead(wanted.date) over (partition by wanted.basket_id order by wanted.date) as next_date
    from wanted
    left join bought
        on wanted.basket_id = bought.basket_id and wanted.date = bought.date and wanted.symbol = bought.symbol
    group by wanted.basket_id, wanted.date
    having count(bought.symbol) > 0 or count(wanted.symbol) = 0
)

select
    made.basket_id,
    made.rebalance_number,
    made.date as rebalance_date,
    made.next_date,
    bought.symbol,
    bought.exchange,
    bought.close,
    bought.close_usd,
    case bought.weighting
        when 'equal' then 1.0 / count(*) over whole
        else bought.market_value_usd / sum(bought.market_value_usd) over whole
    end as weight
from made
inner join bought on made.basket_id = bought.basket_id and made.date = bought.date
window whole as (partition by made.basket_id, made.date);

create table by_hand.steps.basket_days as
with spans as (
    select distinct
        holdings.basket_id,
        holdings.rebalance_number,
        holdings.rebalance_date + (holdings.rebalance_number > 0)::integer as first_date,
        holdings.next_date,
        progress.complete_until,
        holdings.exchange
    from by_hand.steps.holdings as holdings
    inner join by_hand.steps.progress as progress on holdings.basket_id = progress.basket_id
)

select
    spans.basket_id,
    spans.rebalance_number,
    days.date
from spans
inner join by_hand.steps.exchange_days as days
    on
        spans.exchange = days.exchange
        and days.date between spans.first_date and coalesce(spans.next_date, spans.complete_until)
union
select
    basket_id,
    rebalance_number,
    next_date
from spans
where next_date is not null
union
select
    basket_id,
    rebalance_number,
    first_date
from spans
where rebalance_number = 0;

-- Where an exchange is closed on a day of a basket, the session before counts, at the day's rate and share count.
create table by_hand.steps.member_days as
with days as (
    select
        days.date,
        exchanges.exchange,
        sessions.date as session_date
    from (select distinct date from by_hand.steps.basket_days) as days
    cross join by_hand.steps.last_days as exchanges
    asof inner join by_hand.steps.exchange_days as sessions
        on exchanges.exchange = sessions.exchange and least(days.date, exchanges.last_date) >= sessions.date
),

counts as (
    select
        days.date,
        shares.symbol,
        max(shares.as_of) as as_of,
        arg_max(shares.shares_outstanding, shares.as_of) as shares_outstanding
    from days
    inner join seeds.securities as securities on days.exchange = securities.exchange
    inner join by_hand.steps.shares as shares
        on securities.symbol = shares.symbol and shares.as_of between days.session_date + 1 and days.date
    where days.date > days.session_date
    group by days.date, shares.symbol
),

-- First of all, or the optimizer joins every holding with every day of its exchange.
held as materialized (
    select
        days.basket_id,
        days.date,
        days.rebalance_number,
        holdings.symbol,
        holdings.exchange,
        holdings.weight,
        holdings.close,
        holdings.close_usd
    from by_hand.steps.basket_days as days
    inner join by_hand.steps.holdings as holdings
        on days.basket_id = holdings.basket_id and days.rebalance_number = holdings.rebalance_number
)

select
    held.basket_id,
    held.date,
    held.symbol,
    held.rebalance_number,
    held.weight,
    prices.close,
    prices.close / rates.units_per_usd as close_usd,
    held.weight * prices.close / held.close as value,
    held.weight * (prices.close / rates.units_per_usd) / held.close_usd as value_usd,
    case when prices.date = held.date then held.weight * prices.dividend / held.close else 0 end as dividend_value,
    case
        when prices.date = held.date then held.weight * (prices.dividend / rates.units_per_usd) / held.close_usd
        else 0
    end as dividend_value_usd,
    prices.sessions_missed <= 5 as is_priced,
    coalesce(counts.shares_outstanding, prices.shares_outstanding) as shares_outstanding,
    coalesce(counts.as_of, prices.shares_as_of) as shares_as_of,
    counts.as_of is null and prices.is_shares_backcast as is_shares_backcast,
    coalesce(counts.shares_outstanding, prices.shares_outstanding) * prices.close / rates.units_per_usd
        as market_value_usd
from held
inner join days as sessions on held.date = sessions.date and held.exchange = sessions.exchange
inner join by_hand.steps.equities as prices
    on held.symbol = prices.symbol and sessions.session_date = prices.date
left join by_hand.steps.rates as rates on prices.currency = rates.currency and held.date = rates.date
left join counts on held.symbol = counts.symbol and held.date = counts.date;

create table by_hand.steps.relatives as
with wide as (
    select
        basket_id,
        date,
        rebalance_number,
        case when count(value) = count(*) then sum(value) end as value,
        case when count(value_usd) = count(*) then sum(value_usd) end as value_usd,
        sum(dividend_value) as dividend,
        sum(dividend_value_usd) as dividend_usd,
        count(*)::integer as members,
        (count(*) filter (where is_priced))::integer as members_priced
    from by_hand.steps.member_days
    group by basket_id, date, rebalance_number
)

select
    basket_id,
    date,
    rebalance_number,
    'local' as currency_basis,
    value,
    dividend,
    members,
    members_priced
from wide
union all
select
    basket_id,
    date,
    rebalance_number,
    'usd' as currency_basis,
    value_usd,
    dividend_usd,
    members,
    members_priced
from wide;

create table by_hand.steps.levels as
with grown as (
    select
        basket_id,
        currency_basis,
        rebalance_number,
        arg_max(value, date) as growth
    from by_hand.steps.relatives
    group by basket_id, currency_basis, rebalance_number
),

starts as (
    select
        basket_id,
        currency_basis,
        rebalance_number,
        coalesce(
            product(growth) over (
                partition by basket_id, currency_basis
                order by rebalance_number
                rows between unbounded preceding and 1 preceding
            ),
            1
        ) as start
    from grown
),

chained as (
    select
        relatives.*,
        starts.start * relatives.value as chain,
        starts.start * relatives.dividend as chain_dividend
    from by_hand.steps.relatives as relatives
    inner join
        starts
        on
            relatives.basket_id = starts.basket_id
            and relatives.currency_basis = starts.currency_basis
            and relatives.rebalance_number = starts.rebalance_number
),

scaled as (
    select
        *,
        100 / first_value(chain ignore nulls) over (
            partition by basket_id, currency_basis
            order by date
            rows between unbounded preceding and unbounded following
        ) as scale,
        last_value(chain ignore nulls) over (
            partition by basket_id, currency_basis
            order by date
            rows between unbounded preceding and 1 preceding
        ) as previous_chain,
        min(date) filter (where chain is not null) over (partition by basket_id, currency_basis) as base_date
    from chained
)

select
    basket_id,
    date,
    currency_basis,
    'price' as return_type,
    chain * scale as level,
    base_date,
    members,
    members_priced
from scaled
union all
select
    basket_id,
    date,
    currency_basis,
    'total' as return_type,
    case
        when chain is not null
            then 100 * product(coalesce((chain + chain_dividend) / previous_chain, 1)) over (
                partition by basket_id, currency_basis
                order by date
                rows between unbounded preceding and current row
            )
    end as level,
    base_date,
    members,
    members_priced
from scaled;

create table by_hand.steps.days_back as
with numbered as (
    select
        basket_id,
        date,
        row_number() over (partition by basket_id order by date) as number
    from by_hand.steps.levels
    where currency_basis = 'local' and return_type = 'price'
)

select
    days.basket_id,
    days.date,
    days.number - base_1d.number as back_1d,
    case
        when base_wtd.date >= (date_trunc('week', days.date)::date - 1) - 10
            then days.number - base_wtd.number
    end as back_wtd,
    case
        when base_mtd.date >= (date_trunc('month', days.date)::date - 1) - 10
            then days.number - base_mtd.number
    end as back_mtd,
    case
        when base_qtd.date >= (date_trunc('quarter', days.date)::date - 1) - 10
            then days.number - base_qtd.number
    end as back_qtd,
    case
        when base_ytd.date >= (date_trunc('year', days.date)::date - 1) - 10
            then days.number - base_ytd.number
    end as back_ytd,
    case
        when base_1m.date >= (days.date - interval 1 month)::date - 10
            then days.number - base_1m.number
    end as back_1m,
    case
        when base_3m.date >= (days.date - interval 3 month)::date - 10
            then days.number - base_3m.number
    end as back_3m,
    case
        when base_6m.date >= (days.date - interval 6 month)::date - 10
            then days.number - base_6m.number
    end as back_6m,
    case
        when base_1y.date >= (days.date - interval 1 year)::date - 10
            then days.number - base_1y.number
    end as back_1y,
    case
        when base_3y.date >= (days.date - interval 3 year)::date - 10
            then days.number - base_3y.number
    end as back_3y,
    case
        when base_5y.date >= (days.date - interval 5 year)::date - 10
            then days.number - base_5y.number
    end as back_5y
from numbered as days
asof left join numbered as base_1d
    on days.basket_id = base_1d.basket_id and (days.date - 1) >= base_1d.date
asof left join numbered as base_wtd
    on days.basket_id = base_wtd.basket_id and (date_trunc('week', days.date)::date - 1) >= base_wtd.date
asof left join numbered as base_mtd
    on days.basket_id = base_mtd.basket_id and (date_trunc('month', days.date)::date - 1) >= base_mtd.date
asof left join numbered as base_qtd
    on days.basket_id = base_qtd.basket_id and (date_trunc('quarter', days.date)::date - 1) >= base_qtd.date
asof left join numbered as base_ytd
    on days.basket_id = base_ytd.basket_id and (date_trunc('year', days.date)::date - 1) >= base_ytd.date
asof left join numbered as base_1m
    on days.basket_id = base_1m.basket_id and (days.date - interval 1 month)::date >= base_1m.date
asof left join numbered as base_3m
    on days.basket_id = base_3m.basket_id and (days.date - interval 3 month)::date >= base_3m.date
asof left join numbered as base_6m
    on days.basket_id = base_6m.basket_id and (days.date - interval 6 month)::date >= base_6m.date
asof left join numbered as base_1y
    on days.basket_id = base_1y.basket_id and (days.date - interval 1 year)::date >= base_1y.date
asof left join numbered as base_3y
    on days.basket_id = base_3y.basket_id and (days.date - interval 3 year)::date >= base_3y.date
asof left join numbered as base_5y
    on days.basket_id = base_5y.basket_id and (days.date - interval 5 year)::date >= base_5y.date;

create table by_hand.marts.fct_basket_daily as
select
    levels.basket_id,
    baskets.name as basket_name,
    levels.date,
    levels.currency_basis,
    levels.return_type,
    levels.level,
    round(levels.level / lag(levels.level, days.back_1d) over series - 1, 9) as return_1d,
    round(levels.level / lag(levels.level, days.back_wtd) over series - 1, 9) as return_wtd,
    round(levels.level / lag(levels.level, days.back_mtd) over series - 1, 9) as return_mtd,
    round(levels.level / lag(levels.level, days.back_qtd) over series - 1, 9) as return_qtd,
    case
        when year(levels.date) = year(levels.base_date) and levels.date >= levels.base_date
            then round(levels.level / 100 - 1, 9)
        else round(levels.level / lag(levels.level, days.back_ytd) over series - 1, 9)
    end as return_ytd,
    year(levels.date) = year(levels.base_date) and levels.date >= levels.base_date as is_ytd_since_base,
    round(levels.level / lag(levels.level, days.back_1m) over series - 1, 9) as return_1m,
    round(levels.level / lag(levels.level, days.back_3m) over series - 1, 9) as return_3m,
    round(levels.level / lag(levels.level, days.back_6m) over series - 1, 9) as return_6m,
    round(levels.level / lag(levels.level, days.back_1y) over series - 1, 9) as return_1y,
    round(levels.level / lag(levels.level, days.back_3y) over series - 1, 9) as return_3y,
    round(levels.level / lag(levels.level, days.back_5y) over series - 1, 9) as return_5y,
    round(levels.level / 100 - 1, 9) as return_since_base,
    round(pow(1 + round(levels.level / lag(levels.level, days.back_3y) over series - 1, 9), 1 / 3) - 1, 9)
        as return_3y_annualised,
    round(pow(1 + round(levels.level / lag(levels.level, days.back_5y) over series - 1, 9), 1 / 5) - 1, 9)
        as return_5y_annualised,
    case
        when levels.date >= levels.base_date + interval 1 year
            then round(pow(levels.level / 100, 365.25 / (levels.date - levels.base_date)) - 1, 9)
    end as return_since_base_annualised,
    levels.level / max(levels.level) over series - 1 as drawdown,
    levels.members,
    levels.members_priced
from by_hand.steps.levels as levels
inner join seeds.baskets as baskets on levels.basket_id = baskets.basket_id
inner join by_hand.steps.days_back as days on levels.basket_id = days.basket_id and levels.date = days.date
window series as (
    partition by levels.basket_id, levels.currency_basis, levels.return_type
    order by levels.date
    rows between unbounded preceding and current row
);
