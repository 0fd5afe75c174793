{% set limits = {
    "no close": "no close in the " ~ var("max_headline_age_days") ~ " days up to as_of",
    "old": "the period ended more than " ~ var("max_fundamentals_age_days") ~ " days before as_of",
} %}

-- Each company's last twelve months whenever something of them became known, and what the last close before it is of them.
with priced as (
    select
        fundamentals.*,
        prices.currency,
        prices.units_per_usd,
        case when prices.date >= fundamentals.as_of - {{ var("max_headline_age_days") }} then prices.close end as close,
        prices.date as close_date
    from {{ ref("int_fundamentals_ttm") }} as fundamentals
    asof left join {{ ref("int_security_values") }} as prices
        on fundamentals.symbol = prices.symbol and fundamentals.as_of >= prices.date
),

converted as (
    select
        priced.*,
        priced.eps / eps_fx.units_per_usd * priced.units_per_usd as eps_traded,
        priced.book_value / book_value_fx.units_per_usd * priced.units_per_usd as book_value_traded
    from priced
    left join {{ ref("int_fx_daily") }} as eps_fx
        on priced.eps_currency = eps_fx.currency and priced.close_date = eps_fx.date
    left join {{ ref("int_fx_daily") }} as book_value_fx
        on priced.book_value_currency = book_value_fx.currency and priced.close_date = book_value_fx.date
),

reasoned as (
    select
        *,
        {% for figure, words in [("eps", "earnings of twelve months"), ("book_value", "book value")] %}
            case
                when {{ figure }} is null then 'no {{ words }} known'
                when {{ figure }} <= 0 then '{{ words }} not above zero'
                when {{ figure }}_period_end < as_of - {{ var("max_fundamentals_age_days") }} then '{{ limits["old"] }}'
                when close is null then '{{ limits["no close"] }}'
                when {{ figure }}_traded is null then 'no exchange rate of ' || {{ figure }}_currency || ' or ' || currency
            end as {{ figure }}_reason{% if not loop.last %},{% endif %}
        {% endfor %}
    from converted
)

select
    reasoned.symbol,
    securities.name as security_name,
    reasoned.as_of,
    reasoned.known_from,
    reasoned.is_publication_assumed,
    reasoned.eps as eps_ttm,
    reasoned.eps_currency,
    reasoned.eps_period_end,
    reasoned.eps_method,
    reasoned.book_value as book_value_per_share,
    reasoned.book_value_currency,
    reasoned.book_value_period_end,
    reasoned.dividends as dividends_ttm,
    reasoned.dividends_currency,
    reasoned.dividends_period_end,
    reasoned.close as last_close,
    reasoned.currency,
    case when reasoned.eps_reason is null then reasoned.close / reasoned.eps_traded end as trailing_pe,
    reasoned.eps_reason as trailing_pe_reason,
    case when reasoned.book_value_reason is null then reasoned.close / reasoned.book_value_traded end as price_to_book,
    reasoned.book_value_reason as price_to_book_reason
from reasoned
inner join {{ ref("securities") }} as securities on reasoned.symbol = securities.symbol
