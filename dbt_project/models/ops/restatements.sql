-- Values that a vendor changed after the first version. Versions are compared on one split basis: a difference that is
-- the split is no restatement. `reported` is a value as the vendor gave it; `exponent` says how a split changes it: a
-- price is divided by the ratio, a share count multiplied.
{% set values = [
    {"relation": ref("stg_prices"), "field": "'close'", "reported": "close", "exponent": "-1"},
    {"relation": "actions", "field": "field", "reported": "value", "exponent": "case field when 'dividend' then -1 else 0 end"},
    {"relation": "implied", "field": "field", "reported": "0.0", "exponent": "0"},
    {"relation": ref("stg_fx_rates"), "symbol": "currency_pair", "field": "'rate'", "reported": "rate", "exponent": "0"},
    {"relation": ref("stg_shares"), "date": "as_of", "field": "'shares_outstanding'", "reported": "shares_outstanding", "exponent": "1"},
] %}
{% for figure in ["mean", "low", "high"] %}
    {% do values.append({
        "relation": ref("stg_estimates"), "date": "as_of", "field": "metric",
        "detail": "period_type || ' ' || period_end || ', " ~ figure ~ "'", "reported": figure, "exponent": "-1",
    }) %}
{% endfor %}

with actions as (
    select
        symbol,
        date,
        case action when 'split' then 'split_ratio' else action end as field,
        value,
        basis_date,
        fetched_at,
        landed_at,
        source
    from {{ ref("stg_corporate_actions") }}
    where {{ dated_by_then("date") }}
),

first_prices as (
    select *
    from {{ ref("stg_prices") }}
    qualify row_number() over (partition by symbol, date order by {{ version_order() }}) = 1
),

-- Without a dividend or split there is no row: a price row that is older than the first version of one implies that
-- there was none.
implied as (
    select
        first_prices.symbol,
        first_prices.date,
        actions.field,
        first_prices.basis_date,
        first_prices.fetched_at,
        first_prices.landed_at,
        first_prices.source
    from first_prices
    inner join actions on first_prices.symbol = actions.symbol and first_prices.date = actions.date
    group by all
    having {{ version_order("first_prices") }} < min({{ version_order("actions") }})
),

versions as (
    {% for value in values %}
        {% if not loop.first %}union all{% endif %}
        select
            {{ value.symbol | default("symbol") }} as symbol,
            {{ value.date | default("date") }} as date,
            {{ value.field }} as field,
            {{ value.detail | default("null") }} as detail,
            {{ value.reported }} as reported,
            {{ value.exponent }} as exponent,
            basis_date,
            fetched_at,
            landed_at,
            source
        from {{ value.relation }}
    {% endfor %}
),

on_one_basis as (
    select
        versions.*,
        {{ split_factor() }} ** versions.exponent as adjustment,
        versions.reported * {{ split_factor() }} ** versions.exponent as value
    from versions
    {{ split_factor_join("versions") }}
),

compared as (
    select
        *,
        lag(value) over history as before,
        lag(reported) over history as before_as_reported,
        lag(adjustment) over history as adjustment_before,
        row_number() over history as version_number,
        abs(value - before) <= 1e-6 * abs(before) as is_same
    from on_one_basis
    window history as (
        partition by symbol, date, field, detail
        order by {{ version_order() }}
    )
),

restated as (
    select
        *,
        case
            when field in ('dividend', 'split_ratio') and reported = 0 then 'withdrawn'
            when is_same and adjustment <> adjustment_before then 'split'
            when is_same then 'rounding'
            else 'restated'
        end as kind
    from compared
    where version_number > 1 and (reported is distinct from before_as_reported or not is_same)
),

closes as (
    select
        symbol,
        date,
        value as close
    from on_one_basis
    where field = 'close'
    {{ latest_version(["symbol", "date"]) }}
),

-- Where the basket of a currency pair has several members in that currency, the rate moves them all.
weights as (
    select
        steps.basket_id,
        steps.date,
        unnest([steps.symbol, 'USD' || coalesce(minor_units.major_currency, securities.currency)]) as symbol,
        steps.weight_close as weight
    from {{ ref("int_basket_member_steps") }} as steps
    inner join {{ ref("securities") }} as securities on steps.symbol = securities.symbol
    left join {{ ref("minor_units") }} as minor_units on securities.currency = minor_units.currency
    where steps.currency_basis = 'usd'
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

largest_weights as (
    select
        symbol,
        date,
        max(weight) as weight
    from basket_weights
    group by symbol, date
),

final as (
    select
        restated.symbol,
        restated.date,
        restated.field,
        restated.detail,
        restated.kind,
        restated.before_as_reported as value_before,
        restated.reported as value_after,
        restated.value / nullif(restated.before, 0) - 1 as change_ratio,
        abs(case
            when restated.field in ('close', 'rate') then restated.value / restated.before - 1
            when restated.field = 'dividend' then (restated.value - restated.before) / closes.close
            when restated.field = 'split_ratio'
                then coalesce(nullif(restated.value, 0), 1) / coalesce(nullif(restated.before, 0), 1) - 1
        end) * largest_weights.weight as basket_effect,
        restated.fetched_at as known_at,
        restated.source
    from restated
    left join closes
        on restated.symbol = closes.symbol and restated.date = closes.date
    left join largest_weights
        on restated.symbol = largest_weights.symbol and restated.date = largest_weights.date
)

select * from final
