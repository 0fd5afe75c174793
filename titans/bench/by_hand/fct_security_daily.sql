-- From staging to fct_security_daily: splits, sessions with carried closes, values of equities, then returns. All
-- securities of an exchange share its sessions, so the base of a period is a number of sessions to go back.
create table by_hand.steps.factors as
with splits as (
    select
        symbol,
        date as ex_date,
        value as ratio
    from staging.stg_corporate_actions
    where action = 'split'
    qualify row_number() over (partition by symbol, date order by (fetched_at, landed_at) desc) = 1
),

bases as (
    select
        symbol,
        basis_date
    from staging.stg_prices
    union
    select
        symbol,
        basis_date
    from staging.stg_shares
    union
    select
        symbol,
        basis_date
    from staging.stg_corporate_actions
    union
    select
        symbol,
        date
    from staging.stg_vendor_corrections
)

select
    bases.symbol,
    bases.basis_date,
    coalesce(product(splits.ratio), 1.0) as factor
from bases
left join splits on bases.symbol = splits.symbol and bases.basis_date < splits.ex_date and splits.ratio > 0
group by bases.symbol, bases.basis_date;

create table by_hand.steps.exchange_days as
with numbered as (
    select
        exchange,
        date,
        is_half_day,
        row_number() over (partition by exchange order by date) as number
    from staging.stg_exchange_sessions
)

select
    days.exchange,
    days.date,
    days.is_half_day,
    days.number,
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
    case when base_1y.date >= (days.date - interval 1 year)::date - 10 then days.number - base_1y.number end as back_1y,
    case when base_3y.date >= (days.date - interval 3 year)::date - 10 then days.number - base_3y.number end as back_3y,
    case when base_5y.date >= (days.date - interval 5 year)::date - 10 then days.number - base_5y.number end as back_5y
from numbered as days
asof left join numbered as base_1d
    on days.exchange = base_1d.exchange and (days.date - 1) >= base_1d.date
asof left join numbered as base_wtd
    on days.exchange = base_wtd.exchange and (date_trunc('week', days.date)::date - 1) >= base_wtd.date
asof left join numbered as base_mtd
    on days.exchange = base_mtd.exchange and (date_trunc('month', days.date)::date - 1) >= base_mtd.date
asof left join numbered as base_qtd
    on days.exchange = base_qtd.exchange and (date_trunc('quarter', days.date)::date - 1) >= base_qtd.date
asof left join numbered as base_ytd
    on days.exchange = base_ytd.exchange and (date_trunc('year', days.date)::date - 1) >= base_ytd.date
asof left join numbered as base_1m
    on days.exchange = base_1m.exchange and (days.date - interval 1 month)::date >= base_1m.date
asof left join numbered as base_3m
    on days.exchange = base_3m.exchange and (days.date - interval 3 month)::date >= base_3m.date
asof left join numbered as base_6m
    on days.exchange = base_6m.exchange and (days.date - interval 6 month)::date >= base_6m.date
asof left join numbered as base_1y
    on days.exchange = base_1y.exchange and (days.date - interval 1 year)::date >= base_1y.date
asof left join numbered as base_3y
    on days.exchange = base_3y.exchange and (days.date - interval 3 year)::date >= base_3y.date
asof left join numbered as base_5y
    on days.exchange = base_5y.exchange and (days.date - interval 5 year)::date >= base_5y.date;

create table by_hand.steps.rates as
with fixings as (
    select
        quote_currency as currency,
        date,
        rate
    from staging.stg_fx_rates
    where base_currency = 'USD'
    qualify row_number() over (partition by quote_currency, date order by (fetched_at, landed_at) desc) = 1
),

days as (
    select unnest(generate_series(min(date), max(date), interval 1 day))::date as date
    from staging.stg_exchange_sessions
),

currencies as (
    select distinct currency
    from fixings
),

majors as (
    select
        currencies.currency,
        days.date,
        case when fixings.date >= days.date - 7 then fixings.rate end
            as units_per_usd
    from currencies
    cross join days
    asof left join fixings on currencies.currency = fixings.currency and days.date >= fixings.date
    union all
    select
        'USD' as currency,
        date,
        1.0 as units_per_usd
    from days
)

from majors
union all
select
    minor.currency,
    majors.date,
    majors.units_per_usd * minor.units_per_major as units_per_usd
from seeds.minor_units as minor
inner join majors on minor.major_currency = majors.currency;

create table by_hand.steps.last_days as
select
    securities.exchange,
    max(prices.date) as last_date
from staging.stg_prices as prices
inner join seeds.securities as securities on prices.symbol = securities.symbol
group by securities.exchange;

create table by_hand.steps.sessions as
with latest as (
    select
        symbol,
        date,
        open,
        high,
        low,
        close,
        volume,
        basis_date,
        source
    from staging.stg_prices
    qualify row_number() over (partition by symbol, date order by (fetched_at, landed_at) desc) = 1
),

adjusted as (
    select
        latest.symbol,
        latest.date,
        latest.source,
        latest.open / factors.factor as open,
        latest.high / factors.factor as high,
        latest.low / factors.factor as low,
        latest.close / factors.factor as close_vendor,
        round(latest.volume * factors.factor)::bigint as volume,
        latest.volume = 0 and latest.open = latest.high and latest.high = latest.low and latest.low = latest.close
            as is_flat,
        corrections.value / corrected.factor as correction
    from latest
    inner join by_hand.steps.factors as factors
        on latest.symbol = factors.symbol and latest.basis_date = factors.basis_date
    left join staging.stg_vendor_corrections as corrections
        on latest.symbol = corrections.symbol and latest.date = corrections.date and corrections.field = 'close'
    left join by_hand.steps.factors as corrected
        on corrections.symbol = corrected.symbol and corrections.date = corrected.basis_date
),

listed as (
    select
        symbol,
        min(date) as first_date
    from latest
    group by symbol
)

select
    securities.symbol,
    securities.kind,
    securities.exchange,
    securities.currency,
    days.date,
    days.number,
    prices.close_vendor is not null as is_traded,
    prices.open,
    prices.high,
    prices.low,
    prices.volume,
    coalesce(abs(prices.correction / prices.close_vendor - 1) > 1e-9, false) as is_corrected,
    coalesce(securities.kind = 'equity' and days.is_half_day and prices.is_flat, false) as is_suspect,
    last_value(coalesce(prices.correction, prices.close_vendor) ignore nulls) over so_far as close,
    last_value(prices.close_vendor ignore nulls) over so_far as close_vendor,
    last_value(prices.source ignore nulls) over so_far as source,
    days.number - max(case when prices.close_vendor is not null then days.number end) over so_far as sessions_missed
from listed
inner join seeds.securities as securities on listed.symbol = securities.symbol
inner join by_hand.steps.last_days as last_days on securities.exchange = last_days.exchange
inner join by_hand.steps.exchange_days as days
    on securities.exchange = days.exchange and days.date between listed.first_date and last_days.last_date
left join adjusted as prices on securities.symbol = prices.symbol and days.date = prices.date
window so_far as (
    partition by securities.symbol
    order by days.date
    rows between unbounded preceding and current row
);

create table by_hand.steps.shares as
with latest as (
    select
        symbol,
        as_of,
        shares_outstanding,
        basis_date
    from staging.stg_shares
    qualify row_number() over (partition by symbol, as_of order by (fetched_at, landed_at) desc) = 1
)

select
    latest.symbol,
    latest.as_of,
    latest.shares_outstanding * factors.factor as shares_outstanding
from latest
inner join by_hand.steps.factors as factors
    on latest.symbol = factors.symbol and latest.basis_date = factors.basis_date;

create table by_hand.steps.listed as
select
    symbol,
    exchange,
    currency,
    min(date) as first_date
from by_hand.steps.sessions
where kind = 'equity'
group by symbol, exchange, currency;

create table by_hand.steps.payments as
with latest as (
    select
        symbol,
        date,
        value,
        currency,
        basis_date
    from staging.stg_corporate_actions
    where action = 'dividend'
    qualify row_number() over (partition by symbol, date order by (fetched_at, landed_at) desc) = 1
)

select
    listed.symbol,
    listed.exchange,
    listed.first_date,
    latest.date,
    latest.value / factors.factor * case
        when latest.currency = listed.currency then 1
        else traded.units_per_usd / declared.units_per_usd
    end as amount
from latest
inner join by_hand.steps.listed as listed on latest.symbol = listed.symbol
inner join by_hand.steps.factors as factors
    on latest.symbol = factors.symbol and latest.basis_date = factors.basis_date
left join by_hand.steps.rates as declared on latest.currency = declared.currency and latest.date = declared.date
left join by_hand.steps.rates as traded on listed.currency = traded.currency and latest.date = traded.date
where latest.value > 0;

-- A payment counts until the same fiscal period is paid again. Of special dividends the world has none.
create table by_hand.steps.dividend_years as
with counted as (
    select
        symbol,
        date,
        amount,
        date + 365 - least(
            45,
            365 // (
                2 * (
                    count(*) over (
                        partition by symbol
                        order by date
                        range between interval 1 day following and interval 319 day following
                    ) + 1
                )
            )
        )::integer as earliest_next
    from by_hand.steps.payments
),

changes as (
    select
        symbol,
        date,
        amount,
        1 as payments
    from by_hand.steps.payments
    union all
    select
        counted.symbol,
        least(coalesce(again.date, '9999-12-31'::date), counted.date + 380) as date,
        -counted.amount as amount,
        -1 as payments
    from counted
    asof left join by_hand.steps.payments as again
        on counted.symbol = again.symbol and counted.earliest_next <= again.date
),

by_day as (
    select
        symbol,
        date,
        sum(amount) as amount,
        sum(payments) as payments
    from changes
    group by symbol, date
)

select
    symbol,
    date,
    sum(payments) over to_day as payments,
    case when sum(payments) over to_day = 0 then 0 else sum(amount) over to_day end as amount
from by_day
window to_day as (
    partition by symbol
    order by date
    rows between unbounded preceding and current row
);

create table by_hand.steps.equities as
with dividends as (
    select
        payments.symbol,
        days.date,
        sum(payments.amount) as dividend
    from by_hand.steps.payments as payments
    asof inner join by_hand.steps.exchange_days as days
        on payments.exchange = days.exchange and greatest(payments.date, payments.first_date) <= days.date
    group by payments.symbol, days.date
),

-- A count holds from the first session on or after its day on.
counts as (
    select
        listed.symbol,
        days.date,
        arg_max(shares.shares_outstanding, shares.as_of) as shares_outstanding,
        max(shares.as_of) as as_of
    from by_hand.steps.shares as shares
    inner join by_hand.steps.listed as listed on shares.symbol = listed.symbol
    asof inner join by_hand.steps.exchange_days as days
        on listed.exchange = days.exchange and greatest(shares.as_of, listed.first_date) <= days.date
    group by listed.symbol, days.date
),

first_counts as (
    select
        symbol,
        arg_min(shares_outstanding, as_of) as shares_outstanding,
        min(as_of) as as_of
    from by_hand.steps.shares
    group by symbol
),

joined as (
    select
        sessions.symbol,
        sessions.exchange,
        sessions.currency,
        sessions.date,
        sessions.is_traded,
        sessions.open,
        sessions.high,
        sessions.low,
        sessions.volume,
        sessions.is_corrected,
        sessions.is_suspect,
        sessions.close,
        sessions.close_vendor,
        sessions.source,
        sessions.sessions_missed,
        rates.units_per_usd,
        coalesce(dividends.dividend, 0) as dividend,
        coalesce(paid.amount, 0) as dividends_ttm,
        coalesce(paid.payments, 0) as dividend_payments_ttm,
        lag(sessions.close) over so_far as previous_close,
        last_value(counts.shares_outstanding ignore nulls) over so_far as shares_now,
        last_value(counts.as_of ignore nulls) over so_far as as_of_now
    from by_hand.steps.sessions as sessions
    left join by_hand.steps.rates as rates on sessions.currency = rates.currency and sessions.date = rates.date
    left join dividends on sessions.symbol = dividends.symbol and sessions.date = dividends.date
    left join counts on sessions.symbol = counts.symbol and sessions.date = counts.date
    asof left join by_hand.steps.dividend_years as paid
        on sessions.symbol = paid.symbol and sessions.date >= paid.date
    where sessions.kind = 'equity'
    window so_far as (
        partition by sessions.symbol
        order by sessions.date
        rows between unbounded preceding and current row
    )
)

select
    joined.symbol,
    joined.exchange,
    joined.currency,
    joined.date,
    joined.is_traded,
    joined.open,
    joined.high,
    joined.low,
    joined.volume,
    joined.is_corrected,
    joined.is_suspect,
    joined.close,
    joined.close_vendor,
    joined.source,
    joined.sessions_missed,
    joined.units_per_usd,
    joined.dividend,
    joined.close / joined.units_per_usd as close_usd,
    100 * product(coalesce((joined.close + joined.dividend) / joined.previous_close, 1)) over to_date
        as total_return_index,
    total_return_index / joined.units_per_usd as total_return_index_usd,
    joined.close / max(joined.close) over to_date - 1 as drawdown,
    joined.date >= min(joined.date) over to_date + 365 as has_dividend_year,
    case when has_dividend_year then joined.dividends_ttm / joined.close end as dividend_yield_ttm,
    case when has_dividend_year then joined.dividend_payments_ttm end::integer as dividend_payments_ttm,
    case when has_dividend_year then 0 end::double as special_dividend_yield_ttm,
    coalesce(joined.shares_now, first_counts.shares_outstanding) as shares_outstanding,
    coalesce(joined.as_of_now, first_counts.as_of) as shares_as_of,
    joined.as_of_now is null and first_counts.as_of is not null as is_shares_backcast,
    joined.close / joined.units_per_usd * coalesce(joined.shares_now, first_counts.shares_outstanding)
        as market_value_usd
from joined
left join first_counts on joined.symbol = first_counts.symbol
window to_date as (
    partition by joined.symbol
    order by joined.date
    rows between unbounded preceding and current row
);

create table by_hand.marts.fct_security_daily as
select
    equities.symbol,
    securities.name as security_name,
    equities.date,
    equities.open,
    equities.high,
    equities.low,
    equities.close,
    equities.close_vendor,
    equities.close_usd,
    equities.currency,
    equities.volume,
    equities.is_traded,
    equities.is_corrected,
    equities.is_suspect,
    equities.source,
    equities.total_return_index,
    round(equities.close / lag(equities.close, days.back_1d) over series - 1, 9) as return_1d,
    round(equities.close / lag(equities.close, days.back_wtd) over series - 1, 9) as return_wtd,
    round(equities.close / lag(equities.close, days.back_mtd) over series - 1, 9) as return_mtd,
    round(equities.close / lag(equities.close, days.back_qtd) over series - 1, 9) as return_qtd,
    round(equities.close / lag(equities.close, days.back_ytd) over series - 1, 9) as return_ytd,
    round(equities.close / lag(equities.close, days.back_1m) over series - 1, 9) as return_1m,
    round(equities.close / lag(equities.close, days.back_3m) over series - 1, 9) as return_3m,
    round(equities.close / lag(equities.close, days.back_6m) over series - 1, 9) as return_6m,
    round(equities.close / lag(equities.close, days.back_1y) over series - 1, 9) as return_1y,
    round(equities.close / lag(equities.close, days.back_3y) over series - 1, 9) as return_3y,
    round(equities.close / lag(equities.close, days.back_5y) over series - 1, 9) as return_5y,
    round(equities.close_usd / lag(equities.close_usd, days.back_1d) over series - 1, 9) as return_usd_1d,
    round(equities.close_usd / lag(equities.close_usd, days.back_wtd) over series - 1, 9) as return_usd_wtd,
    round(equities.close_usd / lag(equities.close_usd, days.back_mtd) over series - 1, 9) as return_usd_mtd,
    round(equities.close_usd / lag(equities.close_usd, days.back_qtd) over series - 1, 9) as return_usd_qtd,
    round(equities.close_usd / lag(equities.close_usd, days.back_ytd) over series - 1, 9) as return_usd_ytd,
    round(equities.close_usd / lag(equities.close_usd, days.back_1m) over series - 1, 9) as return_usd_1m,
    round(equities.close_usd / lag(equities.close_usd, days.back_3m) over series - 1, 9) as return_usd_3m,
    round(equities.close_usd / lag(equities.close_usd, days.back_6m) over series - 1, 9) as return_usd_6m,
    round(equities.close_usd / lag(equities.close_usd, days.back_1y) over series - 1, 9) as return_usd_1y,
    round(equities.close_usd / lag(equities.close_usd, days.back_3y) over series - 1, 9) as return_usd_3y,
    round(equities.close_usd / lag(equities.close_usd, days.back_5y) over series - 1, 9) as return_usd_5y,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_1d) over series - 1, 9)
        as total_return_1d,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_wtd) over series - 1, 9)
        as total_return_wtd,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_mtd) over series - 1, 9)
        as total_return_mtd,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_qtd) over series - 1, 9)
        as total_return_qtd,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_ytd) over series - 1, 9)
        as total_return_ytd,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_1m) over series - 1, 9)
        as total_return_1m,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_3m) over series - 1, 9)
        as total_return_3m,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_6m) over series - 1, 9)
        as total_return_6m,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_1y) over series - 1, 9)
        as total_return_1y,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_3y) over series - 1, 9)
        as total_return_3y,
    round(equities.total_return_index / lag(equities.total_return_index, days.back_5y) over series - 1, 9)
        as total_return_5y,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_1d) over series - 1, 9)
        as total_return_usd_1d,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_wtd) over series - 1, 9)
        as total_return_usd_wtd,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_mtd) over series - 1, 9)
        as total_return_usd_mtd,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_qtd) over series - 1, 9)
        as total_return_usd_qtd,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_ytd) over series - 1, 9)
        as total_return_usd_ytd,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_1m) over series - 1, 9)
        as total_return_usd_1m,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_3m) over series - 1, 9)
        as total_return_usd_3m,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_6m) over series - 1, 9)
        as total_return_usd_6m,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_1y) over series - 1, 9)
        as total_return_usd_1y,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_3y) over series - 1, 9)
        as total_return_usd_3y,
    round(equities.total_return_index_usd / lag(equities.total_return_index_usd, days.back_5y) over series - 1, 9)
        as total_return_usd_5y,
    equities.drawdown,
    equities.market_value_usd,
    equities.is_shares_backcast,
    equities.dividend_yield_ttm,
    equities.dividend_payments_ttm,
    equities.special_dividend_yield_ttm
from by_hand.steps.equities as equities
inner join seeds.securities as securities on equities.symbol = securities.symbol
inner join by_hand.steps.exchange_days as days on equities.exchange = days.exchange and equities.date = days.date
window series as (partition by equities.symbol order by equities.date);
