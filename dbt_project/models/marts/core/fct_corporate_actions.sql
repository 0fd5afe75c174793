with actions as (
    select
        symbol,
        date,
        'dividend' as action,
        value,
        value_vendor,
        currency,
        value_in_price_currency,
        special_in_price_currency,
        is_corrected,
        source
    from {{ ref("int_dividends") }}
    union all
    select
        symbol,
        ex_date as date,
        'split' as action,
        ratio as value,
        ratio_vendor as value_vendor,
        null as currency,
        null as value_in_price_currency,
        null as special_in_price_currency,
        is_corrected,
        source
    from {{ ref("int_splits") }}
    where is_known
)

select
    actions.symbol,
    securities.name as security_name,
    actions.date,
    actions.action,
    actions.value,
    actions.value_vendor,
    actions.currency,
    actions.value_in_price_currency,
    actions.special_in_price_currency,
    actions.is_corrected,
    actions.source
from actions
inner join {{ ref("securities") }} as securities on actions.symbol = securities.symbol
