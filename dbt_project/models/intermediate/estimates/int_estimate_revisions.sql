-- Each estimate against the last snapshot of the same fiscal period that is at least so many days older, and not much
-- older than that. Without such a base, or with one in another currency, there is no change.
with estimates as (
    select * from {{ ref("int_estimates_split_adjusted") }}
),

compared as (
    select
        {% for days in var("revision_days") %}
            case
                when base_{{ days }}d.as_of >= s.as_of - {{ days + var("max_base_age_days") }} and base_{{ days }}d.currency = s.currency
                    then { 'as_of': base_{{ days }}d.as_of, 'mean': base_{{ days }}d.mean }
            end as base_{{ days }}d,
        {% endfor %}
        s.*
    from estimates as s
    {% for days in var("revision_days") %}
        asof left join estimates as base_{{ days }}d
            on
                s.symbol = base_{{ days }}d.symbol
                and s.metric = base_{{ days }}d.metric
                and s.period_type = base_{{ days }}d.period_type
                and s.period_end = base_{{ days }}d.period_end
                and s.as_of - {{ days }} >= base_{{ days }}d.as_of
    {% endfor %}
)

select
    compared.symbol,
    compared.as_of,
    compared.metric,
    compared.period_type,
    compared.period_end,
    compared.period_label,
    {% for days in var("revision_days") %}
        compared.mean - compared.base_{{ days }}d.mean as change_{{ days }}d,
        (compared.mean - compared.base_{{ days }}d.mean) / nullif(abs(compared.base_{{ days }}d.mean), 0) as revision_{{ days }}d,
        compared.base_{{ days }}d.as_of as base_as_of_{{ days }}d,
    {% endfor %}
    compared.mean,
    compared.currency
from compared
