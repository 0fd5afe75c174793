{% set row_columns = [
    "close", "close_vendor", "close_usd", "currency", "volume", "is_traded", "is_corrected", "is_suspect", "source", "total_return_index",
] %}

with security_values as (
    select * from {{ ref("int_security_values") }}
)

select
    s.symbol,
    securities.name,
    s.date,
    {% for column in row_columns %}s.{{ column }},
    {% endfor %}
    {{ period_returns({"return_": "close", "return_usd_": "close_usd", "total_return_": "total_return_index"}) }},
    s.drawdown,
    s.market_value_usd,
    s.is_shares_backcast
from security_values as s
inner join {{ ref("securities") }} as securities on s.symbol = securities.symbol
{{ period_joins("security_values", ["symbol"]) }}
