select
    revisions.symbol,
    securities.name as security_name,
    revisions.as_of,
    revisions.metric,
    revisions.period_type,
    revisions.period_end,
    revisions.period_label,
    {% for days in var("revision_days") %}
        revisions.change_{{ days }}d,
        revisions.revision_{{ days }}d,
        revisions.base_as_of_{{ days }}d,
    {% endfor %}
    revisions.mean,
    revisions.currency
from {{ ref("int_estimate_revisions") }} as revisions
inner join {{ ref("securities") }} as securities on revisions.symbol = securities.symbol
