-- The largest weight that a symbol has in any basket at the close of a day; of a currency pair, the largest of all
-- members in that currency together, since the rate moves them all.
with weights as (
    select
        steps.basket_id,
        steps.date,
        unnest([steps.symbol, 'USD' || coalesce(minor_units.major_currency, securities.currency)]) as symbol,
        steps.weight_close_usd as weight
    from {{ ref("int_basket_member_steps") }} as steps
    inner join {{ ref("securities") }} as securities on steps.symbol = securities.symbol
    left join {{ ref("minor_units") }} as minor_units on securities.currency = minor_units.currency
),

basket_weights as (
    select
        basket_id,
        symbol,
        date,
        sum(weight) as weight
    from weights
    group by basket_id, symbol, date
),

final as (
    select
        symbol,
        date,
        max(weight) as largest_weight
    from basket_weights
    group by symbol, date
)

select * from final
