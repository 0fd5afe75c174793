-- Why the market value of each basket changed since the last close of the previous year, member by member. A member's
-- value is close * rate * shares. The logarithmic mean of both values shares its change among the logarithms of the
-- three factors without a rest and whatever their order (additive LMDI-I of B. W. Ang, Energy Policy 33, 2005).
with valued as (
    select
        basket_id,
        symbol,
        date,
        market_value_usd as value,
        close,
        close_usd / close as usd_per_unit,
        shares_outstanding
    from {{ ref("int_basket_member_values") }}
    where is_priced
),

based as (
    select
        basket_id,
        date,
        lag(date, back_ytd) over (partition by basket_id order by date) as base_date
    from {{ ref("int_basket_days_back") }}
    qualify base_date is not null
),

now_valued as (
    select
        based.basket_id,
        based.date,
        valued.symbol,
        valued.value,
        valued.close,
        valued.usd_per_unit,
        valued.shares_outstanding
    from based
    inner join valued on based.basket_id = valued.basket_id and based.date = valued.date
),

base_valued as (
    select
        based.basket_id,
        based.date,
        valued.symbol,
        valued.value,
        valued.close,
        valued.usd_per_unit,
        valued.shares_outstanding
    from based
    inner join valued on based.basket_id = valued.basket_id and based.base_date = valued.date
),

factors as (
    select
        coalesce(today.basket_id, base.basket_id) as basket_id,
        coalesce(today.date, base.date) as date,
        coalesce(today.symbol, base.symbol) as symbol,
        ln(today.close / base.close) as price_log,
        ln(today.usd_per_unit / base.usd_per_unit) as fx_log,
        ln(today.shares_outstanding / base.shares_outstanding) as issuance_log,
        case
            when ln(today.value / base.value) = 0 then today.value
            else (today.value - base.value) / ln(today.value / base.value)
        end as mean_value,
        case when base.symbol is null then today.value when today.symbol is null then -base.value else 0 end as membership_effect
    from now_valued as today
    full outer join base_valued as base
        on today.basket_id = base.basket_id and today.date = base.date and today.symbol = base.symbol
)

select
    basket_id,
    date,
    coalesce(sum(mean_value * price_log), 0) as price_effect_usd,
    coalesce(sum(mean_value * fx_log), 0) as fx_effect_usd,
    coalesce(sum(mean_value * issuance_log), 0) as issuance_effect_usd,
    sum(membership_effect) as membership_effect_usd
from factors
group by basket_id, date
