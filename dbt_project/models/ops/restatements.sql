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
        loaded_at,
        batch_id,
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
        first_prices.loaded_at,
        first_prices.batch_id,
        first_prices.source
    from first_prices
    inner join actions on first_prices.symbol = actions.symbol and first_prices.date = actions.date
    group by all
    having first_prices.fetched_at < min(actions.fetched_at)
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
            loaded_at,
            batch_id,
            source
        from {{ value.relation }}
    {% endfor %}
),

on_one_basis as (
    select
        versions.*,
        versions.reported * {{ split_factor() }} ** versions.exponent as value
    from versions
    {{ split_factor_join("versions") }}
),

compared as (
    select
        *,
        lag(value) over history as before,
        lag(reported) over history as before_as_reported,
        row_number() over history as version_number
    from on_one_basis
    window history as (
        partition by symbol, date, field, detail
        order by {{ version_order() }}
    )
),

final as (
    select
        symbol,
        date,
        field,
        detail,
        case when abs(value - before) <= 1e-6 * abs(before) then 'split' else 'restated' end as kind,
        before_as_reported as value_before,
        reported as value_after,
        value / nullif(before, 0) - 1 as change_ratio,
        fetched_at as known_at,
        source
    from compared
    where version_number > 1 and (reported is distinct from before_as_reported or abs(value - before) > 1e-6 * abs(before))
)

select * from final
