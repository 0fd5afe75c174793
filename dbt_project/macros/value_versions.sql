{# Every version of every value that a vendor has given more than once, one row a version: all others cannot be restated. #}
{# `reported` is the value as the vendor gave it; `exponent` says how a split changes it: a price is divided by the ratio, #}
{# a share count multiplied. `currency` is that of a dividend, an estimate or a result, which may change; of a risk-free #}
{# rate it is the quote basis, since a discount and a yield are as little one number as two currencies. #}
{% macro value_versions() %}
    {% set values = [
        {"relation": ref("stg_prices"), "key": "symbol, date", "field": "'close'", "reported": "close", "exponent": "-1"},
        {
            "relation": ref("int_action_versions"), "key": "symbol, date, action", "field": "case action when 'split' then 'split_ratio' else action end",
            "reported": "value", "exponent": "case action when 'dividend' then -1 else 0 end", "currency": "currency",
        },
        {
            "relation": ref("stg_fx_rates"), "key": "currency_pair, date", "symbol": "currency_pair", "field": "'rate'", "reported": "rate",
            "exponent": "0",
        },
        {
            "relation": ref("stg_shares"), "key": "symbol, as_of", "date": "as_of", "field": "'shares_outstanding'",
            "reported": "shares_outstanding", "exponent": "1",
        },
        {
            "relation": ref("stg_risk_free"), "key": "currency, tenor, date", "symbol": "currency", "field": "'risk_free_rate'",
            "detail": "tenor", "reported": "rate", "exponent": "0", "currency": "quote_basis",
        },
    ] %}
    {% for figure in ["mean", "low", "high"] %}
        {% do values.append({
            "relation": ref("stg_estimates"), "key": "symbol, as_of, metric, period_type, period_end", "date": "as_of", "field": "metric",
            "detail": "period_type || ' ' || period_end || ', " ~ figure ~ "'", "reported": figure, "exponent": "-1", "currency": "currency",
        }) %}
    {% endfor %}

    {% for figure in ["eps", "book_value_per_share", "dividends_per_share"] %}
        {% do values.append({
            "relation": ref("stg_fundamentals"), "key": "symbol, period_type, period_end, published_on", "date": "period_end", "field": "'" ~ figure ~ "'",
            "detail": "period_type || ' of ' || published_on", "reported": figure, "exponent": "-1", "currency": "currency",
        }) %}
    {% endfor %}

    {% for value in values %}
        {% if not loop.first %}union all{% endif %}
        select
            {{ value.symbol | default("symbol") }} as symbol,
            {{ value.date | default("date") }} as date,
            {{ value.field }} as field,
            {{ value.detail | default("null") }} as detail,
            {{ value.reported }} as reported,
            {{ value.exponent }} as exponent,
            {{ value.currency | default("null") }} as currency,
            basis_date,
            fetched_at,
            landed_at,
            source
        from {{ value.relation }}
        where ({{ value.key }}) in (select {{ value.key }} from {{ value.relation }} group by all having count(*) > 1)
    {% endfor %}
{% endmacro %}
