{% set suffixes = ["", "_usd"] %}

-- What each holding weighs at the open and at the close of each day and what it returns on it, in both currency bases.
-- The open after a rebalance is at the new weights. On the base date there is a close only. Days without a level in
-- dollars have no weights in dollars.
with holdings as (
    select
        basket_id,
        symbol,
        date,
        rebalance_number,
        {% for suffix in suffixes %}
            weight * close{{ suffix }} / close{{ suffix }}_bought as value{{ suffix }},
            weight * dividend{{ suffix }} / close{{ suffix }}_bought as dividend_value{{ suffix }},
        {% endfor %}
        weight
    from {{ ref("int_basket_member_values") }}
),

-- A member without a value leaves none for the basket.
baskets as (
    select
        basket_id,
        date,
        {% for suffix in suffixes %}
            case when count(value{{ suffix }}) = count(*) then sum(value{{ suffix }}) end as value{{ suffix }},
        {% endfor %}
        rebalance_number
    from holdings
    group by basket_id, date, rebalance_number
),

opened_baskets as (
    select
        {% for suffix in suffixes %}
            min(date) filter (where value{{ suffix }} is not null) over (partition by basket_id) as first_date{{ suffix }},
            lag(value{{ suffix }}, 1, case when rebalance_number > 0 then 1 end) over held as value_open{{ suffix }},
        {% endfor %}
        *
    from baskets
    window held as (
        partition by basket_id, rebalance_number
        order by date
    )
),

opened_holdings as (
    select
        {% for suffix in suffixes %}
            lag(value{{ suffix }}, 1, case when rebalance_number > 0 then weight end) over held as value_open{{ suffix }},
        {% endfor %}
        *
    from holdings
    window held as (
        partition by basket_id, symbol, rebalance_number
        order by date
    )
)

select
    held.basket_id,
    held.symbol,
    {% for suffix in suffixes %}
        case when held.date > whole.first_date{{ suffix }} then held.value_open{{ suffix }} / whole.value_open{{ suffix }} end as weight_open{{ suffix }},
        held.value{{ suffix }} / whole.value{{ suffix }} as weight_close{{ suffix }},
        held.value{{ suffix }} / held.value_open{{ suffix }} - 1 as price_return{{ suffix }},
        (held.value{{ suffix }} + held.dividend_value{{ suffix }}) / held.value_open{{ suffix }} - 1 as total_return{{ suffix }},
    {% endfor %}
    held.date
from opened_holdings as held
inner join opened_baskets as whole on held.basket_id = whole.basket_id and held.date = whole.date
