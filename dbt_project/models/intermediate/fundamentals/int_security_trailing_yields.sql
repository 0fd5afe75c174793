-- What each close is worth in earnings and book value of the last results known by then: one row a session from the first
-- result on. Figures of a period that ended too long ago say nothing any more.
select
    prices.symbol,
    prices.date,
    known.as_of as fundamentals_as_of,
    {% for figure, yield in [("eps", "earnings_yield_ttm"), ("book_value", "book_yield")] %}
        case
            when known.{{ figure }}_period_end >= prices.date - {{ var("max_fundamentals_age_days") }}
                then known.{{ figure }} / {{ figure }}_fx.units_per_usd * prices.units_per_usd / prices.close
        end as {{ yield }}{% if not loop.last %},{% endif %}
    {% endfor %}
from {{ ref("int_security_values") }} as prices
asof inner join {{ ref("int_fundamentals_ttm") }} as known
    on prices.symbol = known.symbol and prices.date >= known.as_of
left join {{ ref("int_fx_daily") }} as eps_fx on known.eps_currency = eps_fx.currency and prices.date = eps_fx.date
left join {{ ref("int_fx_daily") }} as book_value_fx
    on known.book_value_currency = book_value_fx.currency and prices.date = book_value_fx.date
