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

final as (
    select
        *,
        case ntm_method
            when 'weighted' then fy1_weight * eps_fy1 + (1 - fy1_weight) * eps_fy2
            when 'fy1_only' then eps_fy1
        end as eps_ntm
    from weighted
)

select
    final.symbol,
    securities.name,
    final.date,
    final.close,
    final.currency,
    final.eps_fy1,
    final.eps_fy2,
    final.eps_ntm,
    final.fy1_period_end,
    final.fy1_weight,
    final.is_transition_year,
    final.ntm_method,
    final.estimate_as_of,
    (final.date - final.estimate_as_of)::integer as estimate_age_days,
    case when final.eps_ntm > 0 then final.close / final.eps_ntm end as forward_pe,
    final.eps_ntm <= 0 as is_loss_maker
from final
inner join {{ ref("securities") }} as securities on final.symbol = securities.symbol
