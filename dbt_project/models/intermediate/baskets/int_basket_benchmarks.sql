-- What each series of a basket is measured against: the indices that exchanges.csv names for the exchanges of its
-- members, and the baskets that it is compared with. An index has no dividends, and another currency than the
-- members' is converted in dollars only. Where exchanges of both sides are in several time zones, there are five sets of
-- weeks.
with subjects as (
    select
        members.basket_id as subject_id,
        coalesce(minor_units.major_currency, securities.currency) as currency,
        exchanges.timezone,
        exchanges.benchmark_symbol
    from {{ ref("basket_members") }} as members
    inner join {{ ref("securities") }} as securities on members.symbol = securities.symbol
    inner join {{ ref("exchanges") }} as exchanges on securities.exchange = exchanges.exchange
    left join {{ ref("minor_units") }} as minor_units on securities.currency = minor_units.currency
    union all
    select
        securities.symbol as subject_id,
        securities.currency,
        exchanges.timezone,
        null as benchmark_symbol
    from {{ ref("securities") }} as securities
    inner join {{ ref("exchanges") }} as exchanges on securities.exchange = exchanges.exchange
    where securities.kind = 'index'
),

pairs as (
    select
        subject_id as basket_id,
        benchmark_symbol as benchmark_id,
        'index' as benchmark_kind
    from subjects
    where benchmark_symbol is not null
    union
    select
        basket_id,
        comparator_basket_id as benchmark_id,
        'basket' as benchmark_kind
    from {{ ref("baskets") }}
    where comparator_basket_id is not null
    union
    select
        basket_id,
        comparator_basket_id as benchmark_id,
        'basket' as benchmark_kind
    from {{ ref("basket_pairs") }}
),

compared as (
    select
        pairs.basket_id,
        pairs.benchmark_id,
        pairs.benchmark_kind,
        case when count(distinct subjects.timezone) = 1 then [0] else {{ var("week_shifts") }} end as week_shifts,
        count(distinct subjects.currency) = 1 as is_one_currency
    from pairs
    inner join subjects on subjects.subject_id in (pairs.basket_id, pairs.benchmark_id)
    group by pairs.basket_id, pairs.benchmark_id, pairs.benchmark_kind
),

series as (
    select
        *,
        unnest(['local', 'local', 'usd', 'usd']) as currency_basis,
        unnest(['price', 'total', 'price', 'total']) as return_type
    from compared
)

select
    basket_id,
    benchmark_id,
    currency_basis,
    return_type,
    benchmark_kind,
    week_shifts
from series
where benchmark_kind = 'basket' or (return_type = 'price' and (currency_basis = 'usd' or is_one_currency))
