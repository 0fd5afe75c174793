{# The last day (UTC) of a point-in-time build, or '' in a normal one. #}
{% macro known_at() %}{{ return(var("known_at")) }}{% endmacro %}

{# The first moment that a point-in-time build knows nothing of. #}
{% macro after_known_at() -%}
    ('{{ known_at() }}'::timestamp + interval 1 day)
{%- endmacro %}

{# Keeps what a user dated up to known_at; everything in a normal build. #}
{% macro dated_by_then(date) -%}
    {%- if known_at() -%} {{ date }} <= '{{ known_at() }}'::date {%- else -%} true {%- endif -%}
{%- endmacro %}

{# The rows of a raw table that gate 1 let in; in a point-in-time build those of them that could be known by then. #}
{# The first version of a row could be known from its own moment on (the close of its session, its fixing, its as_of, its ex-date), a later version #}
{# from when it was fetched. Which version came first is read from the order of fetches: at load, a file fetched earlier may still have been missing. #}
{# The own moment is the earliest known_from ever stored for the key; a version that is kept in quarantine was none. #}
{% macro usable_versions(table, keys, symbol="symbol", or_else="false") -%}
    {%- set key = keys | join(", ") -%}
    {%- if known_at() -%}
    select * exclude (own_moment)
    from (
        select
            *,
            min(known_from) over (partition by {{ key }}) as own_moment
        from {{ source("raw", table) }}
    )
    where {{ of_usable_unit(symbol) }}
    qualify
        case
            when fetched_at = min(fetched_at) over (partition by {{ key }}) then own_moment
            else greatest(own_moment, fetched_at)
        end < {{ after_known_at() }}
        or {{ or_else }}
    {%- else -%}
    select *
    from {{ source("raw", table) }}
    where {{ of_usable_unit(symbol) }}
    {%- endif -%}
{%- endmacro %}
