{# The last day (UTC) of a point-in-time build, or '' in a normal one. #}
{% macro known_at() %}{{ return(var("known_at")) }}{% endmacro %}

{# The moment from which on a point-in-time build knows nothing. #}
{% macro after_known_at() -%}
    ('{{ known_at() }}'::timestamp + interval 1 day)
{%- endmacro %}

{# Keeps what a user dated up to known_at; everything in a normal build. #}
{% macro dated_by_then(date) -%}
    {%- if known_at() -%} {{ date }} <= '{{ known_at() }}'::date {%- else -%} true {%- endif -%}
{%- endmacro %}

{# The rows of a raw table that gate 1 let in; in a point-in-time build those of them that could be known by then. #}
{# The first version of a row is known from the event itself: the close of its session, its fixing, its as_of, its ex-date. #}
{# A later version is known from its fetch. The order of versions says which came first, since a file that was #}
{# fetched earlier may be loaded later. The time of the event is the earliest known_from stored for the key; a version in #}
{# quarantine does not count. #}
{% macro usable_versions(table, keys, symbol="symbol", or_else="false") -%}
    {%- set key = keys | join(", ") -%}
    {%- if known_at() -%}
    select * exclude (event_known_from)
    from (
        select
            *,
            min(known_from) over (partition by {{ key }}) as event_known_from
        from {{ source("raw", table) }}
    )
    where {{ of_usable_unit(symbol) }}
    qualify
        case
            when {{ version_order() }} = min({{ version_order() }}) over (partition by {{ key }}) then event_known_from
            else greatest(event_known_from, fetched_at)
        end < {{ after_known_at() }}
        or {{ or_else }}
    {%- else -%}
    select *
    from {{ source("raw", table) }}
    where {{ of_usable_unit(symbol) }}
    {%- endif -%}
{%- endmacro %}
