-- The series of risk-free rates that a basket's returns are measured against: that of the currency of all its members in
-- the local basis, that of the dollar in US dollars. A basket of several currencies has none in the local basis. The tenor
-- is that of the last day with a rate.
with currencies as (
    select
        members.basket_id,
        count(distinct coalesce(minor_units.major_currency, securities.currency)) as currency_count,
        any_value(coalesce(minor_units.major_currency, securities.currency)) as currency
    from {{ ref("basket_members") }} as members
    inner join {{ ref("securities") }} as securities on members.symbol = securities.symbol
    left join {{ ref("minor_units") }} as minor_units on securities.currency = minor_units.currency
    group by members.basket_id
),

bases as (
    select
        basket_id,
        'local' as currency_basis,
        case when currency_count = 1 then currency end as currency
    from currencies
    union all
    select
        basket_id,
        'usd' as currency_basis,
        'USD' as currency
    from currencies
),

series as (
    select
        currency,
        arg_max(tenor, date) as tenor,
        first_quote_date,
        last_quote_date
    from {{ ref("int_risk_free_daily") }}
    group by currency, first_quote_date, last_quote_date
)

select
    bases.basket_id,
    bases.currency_basis,
    bases.currency,
    series.tenor,
    series.first_quote_date,
    series.last_quote_date
from bases
left join series on bases.currency = series.currency
