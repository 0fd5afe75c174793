-- What was paid for the last twelve months, on each day on which that changes. Of a fiscal period one payment counts: it
-- goes when the company has paid for the same period again, which is the first payment a year later, less the drift that
-- is allowed. That is half the usual distance between payments at most, so that the eleventh of twelve months replaces
-- nothing. Special dividends count for 365 days, apart.
with regulars as (
    select
        symbol,
        date,
        value_in_price_currency - special_in_price_currency as amount,
        count(*) over (
            partition by symbol
            order by date
            range between interval 1 day following and interval {{ 365 - 1 - var("dividend_days_early") }} day following
        ) as payments_until_next
    from {{ ref("int_dividends") }}
    where coalesce(value_in_price_currency > special_in_price_currency, true)
),

expected as (
    select
        *,
        date + 365 - least({{ var("dividend_days_early") }}, 365 // (2 * (payments_until_next + 1)))::integer as earliest_next
    from regulars
),

spans as (
    select
        expected.symbol,
        expected.date as first_date,
        least(coalesce(followed.date, '9999-12-31'::date), expected.date + {{ 365 + var("dividend_days_late") }}) as end_date,
        expected.amount,
        0 as special_amount,
        1 as payments
    from expected
    asof left join regulars as followed
        on expected.symbol = followed.symbol and expected.earliest_next <= followed.date
    union all
    select
        symbol,
        date as first_date,
        date + 365 as end_date,
        0 as amount,
        special_in_price_currency as special_amount,
        0 as payments
    from {{ ref("int_dividends") }}
    where special_in_price_currency > 0
),

changes as (
    select
        symbol,
        first_date as date,
        amount,
        special_amount,
        payments,
        (amount is null)::integer as unconverted
    from spans
    union all
    select
        symbol,
        end_date as date,
        -amount as amount,
        -special_amount as special_amount,
        -payments as payments,
        -(amount is null)::integer as unconverted
    from spans
),

by_day as (
    select
        symbol,
        date,
        coalesce(sum(amount), 0) as amount,
        sum(special_amount) as special_amount,
        sum(payments) as payments,
        sum(unconverted) as unconverted
    from changes
    group by symbol, date
),

so_far as (
    select
        symbol,
        date,
        sum(amount) over days as amount,
        sum(special_amount) over days as special_amount,
        sum(payments) over days as payments,
        sum(unconverted) over days as unconverted
    from by_day
    window days as (
        partition by symbol
        order by date
        rows between unbounded preceding and current row
    )
)

select
    symbol,
    date,
    case when unconverted = 0 then case when payments = 0 then 0 else amount end end as amount,
    special_amount,
    payments::integer as payments
from so_far
