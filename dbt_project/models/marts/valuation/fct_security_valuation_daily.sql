select
    multiples.symbol,
    securities.name as security_name,
    multiples.date,
    multiples.close,
    multiples.currency,
    multiples.eps_fy1,
    multiples.eps_fy2,
    multiples.eps_ntm,
    multiples.fy1_period_end,
    multiples.fy1_weight,
    multiples.is_transition_year,
    multiples.ntm_method,
    multiples.estimate_as_of,
    multiples.estimate_age_days,
    multiples.forward_pe,
    multiples.is_loss_maker,
    case when yields.earnings_yield_ttm > 0 then 1 / yields.earnings_yield_ttm end as trailing_pe,
    case when yields.book_yield > 0 then 1 / yields.book_yield end as price_to_book,
    yields.fundamentals_as_of
from {{ ref("int_security_multiples") }} as multiples
inner join {{ ref("securities") }} as securities on multiples.symbol = securities.symbol
left join {{ ref("int_security_trailing_yields") }} as yields on multiples.symbol = yields.symbol and multiples.date = yields.date
