select
    estimates.symbol,
    securities.name as security_name,
    estimates.as_of,
    estimates.metric,
    estimates.period_type,
    estimates.period_end,
    estimates.period_label,
    estimates.mean,
    estimates.low,
    estimates.high,
    estimates.analyst_count,
    estimates.currency,
    estimates.note,
    estimates.source
from {{ ref("int_estimates_split_adjusted") }} as estimates
inner join {{ ref("securities") }} as securities on estimates.symbol = securities.symbol
