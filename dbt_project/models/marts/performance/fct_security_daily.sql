{% set row_columns = [
    "open", "high", "low", "close", "close_vendor", "close_usd", "currency", "volume", "is_traded", "is_corrected", "is_suspect", "source", "total_return_index",
] %}

select
    s.symbol,
    securities.name as security_name,
    s.date,
    {% for column in row_columns %}s.{{ column }},
    {% endfor %}
    {{ period_returns({
        "return_": "s.close",
        "return_usd_": "s.close_usd",
        "total_return_": "s.total_return_index",
        "total_return_usd_": "s.total_return_index_usd",
    }) }},
    s.drawdown,
    s.market_value_usd,
    s.is_shares_backcast,
    s.dividend_yield_ttm,
    s.dividend_payments_ttm,
    s.special_dividend_yield_ttm
from {{ ref("int_security_values") }} as s
inner join {{ ref("securities") }} as securities on s.symbol = securities.symbol
inner join {{ ref("int_exchange_days_back") }} as back on s.exchange = back.exchange and s.date = back.date
window series as (
    partition by s.symbol
    order by s.date
)
