-- Earnings of the next twelve months for each equity and session, blended out of FY1 and FY2 by the time left in FY1,
-- and the forward P/E on them.
with weighted as (
    select
        *,
        case
            when eps_fy1 is null or is_transition_year then null
            when eps_fy2 is not null then 'weighted'
            when fy1_weight >= 0.5 then 'fy1_only'
        end as ntm_method
    from {{ ref("int_eps_by_fiscal_year") }}
),

blended as (
    select
        *,
        case ntm_method
            when 'weighted' then fy1_weight * eps_fy1 + (1 - fy1_weight) * eps_fy2
            when 'fy1_only' then eps_fy1
        end as eps_ntm
    from weighted
)

select
    symbol,
    date,
    close,
    currency,
    eps_fy1,
    eps_fy2,
    eps_ntm,
    fy1_period_end,
    fy1_weight,
    is_transition_year,
    ntm_method,
    estimate_as_of,
    (date - estimate_as_of)::integer as estimate_age_days,
    case when eps_ntm > 0 then close / eps_ntm end as forward_pe,
    eps_ntm <= 0 as is_loss_maker
from blended
