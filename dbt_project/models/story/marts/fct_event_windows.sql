{# The oldest base, and the oldest level of the other side, that still belong to the day. #}
{% set max_age_days = var("max_headline_age_days") %}

with levels as (
    select
        subject_id,
        date,
        level,
        row_number() over (partition by subject_id order by date) as session_number
    from {{ ref("int_story_levels") }}
),

-- Offset 0. While the data do not reach the event's day, its last session is not known.
bases as (
    select
        events.event_id,
        events.name as event_name,
        events.date as event_date,
        subjects.subject_id,
        subjects.subject_kind,
        subjects.subject_name,
        subjects.measured_against,
        levels.date as base_date,
        levels.level as base_level,
        levels.session_number as base_number
    from {{ ref("market_events") }} as events
    cross join {{ ref("int_story_subjects") }} as subjects
    asof inner join levels on subjects.subject_id = levels.subject_id and events.date >= levels.date
    where {{ dated_by_then("events.date") }} and events.date <= subjects.complete_until and events.date - levels.date <= {{ max_age_days }}
),

windows as (
    select
        bases.*,
        levels.date,
        levels.session_number - bases.base_number as session_offset,
        levels.level / bases.base_level - 1 as cumulative_return
    from bases
    inner join levels
        on
            bases.subject_id = levels.subject_id
            and levels.session_number - bases.base_number between -{{ var("event_sessions_before") }} and {{ var("event_sessions_after") }}
),

-- The other side on the subject's own days, its level carried; not past its own data, where the carried level would be
-- restated.
measured as (
    select
        windows.*,
        other.subject_name as measured_against_name,
        case
            when
                greatest(windows.date, windows.base_date) <= other.complete_until
                and windows.base_date - other_base.date <= {{ max_age_days }}
                and windows.date - other_level.date <= {{ max_age_days }}
                then other_level.level / other_base.level - 1
        end as other_return
    from windows
    left join {{ ref("int_story_subjects") }} as other on windows.measured_against = other.subject_id
    asof left join levels as other_base
        on windows.measured_against = other_base.subject_id and windows.base_date >= other_base.date
    asof left join levels as other_level
        on windows.measured_against = other_level.subject_id and windows.date >= other_level.date
)

select
    event_id,
    event_name,
    event_date,
    subject_id,
    subject_name,
    subject_kind,
    {{ subject_columns() }},
    session_offset::integer as session_offset,
    date,
    cumulative_return,
    measured_against,
    measured_against_name,
    cumulative_return - other_return as excess_return
from measured
