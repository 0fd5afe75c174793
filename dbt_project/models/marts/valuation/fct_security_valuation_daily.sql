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
    multiples.is_loss_maker
from {{ ref("int_security_multiples") }} as multiples
inner join {{ ref("securities") }} as securities on multiples.symbol = securities.symbol
