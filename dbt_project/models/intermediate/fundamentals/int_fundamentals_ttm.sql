-- What is known of a company's last twelve months, a row for each day on which anything of it became known. Of several
-- sums the one up to the latest day counts, of those the first of: as reported, four quarters, year and half-years, year.
with figures as (
    {% for figure, column in [("eps", "eps"), ("dividends", "dividends_per_share"), ("book_value", "book_value_per_share")] %}
        {% if not loop.first %}union all{% endif %}
        select
            symbol,
            period_type,
            period_end,
            as_of,
            '{{ figure }}' as figure,
            {{ column }} as value,
            currency,
            published_on,
            is_publication_assumed
        from {{ ref("int_fundamentals_split_adjusted") }}
        where {{ column }} is not null
    {% endfor %}
),

-- A result without a day of publication counts until one whose day the source names is known, and never after it. Of two
-- publications that became known on one day the later counts.
versions as (
    select distinct on (symbol, period_type, period_end, figure, as_of) *
    from figures
    qualify
        is_publication_assumed
        = bool_and(is_publication_assumed) over (partition by symbol, period_type, period_end, figure order by as_of)
    order by symbol asc, period_type asc, period_end asc, figure asc, as_of asc, published_on desc
),

changes as (
    select distinct
        terms.symbol,
        terms.method,
        terms.period_end,
        terms.term_count,
        versions.figure,
        versions.as_of
    from {{ ref("int_twelve_months") }} as terms
    inner join versions
        on
            terms.symbol = versions.symbol
            and terms.term_type = versions.period_type
            and terms.term_end = versions.period_end
            and terms.is_balance = (versions.figure = 'book_value')
),

added as (
    select
        changes.symbol,
        changes.method,
        changes.period_end,
        changes.figure,
        changes.as_of,
        changes.term_count,
        sum(terms.term_sign * versions.value) as value,
        min(versions.currency) as currency,
        bool_or(versions.is_publication_assumed) as is_assumed
    from changes
    inner join {{ ref("int_twelve_months") }} as terms
        on
            changes.symbol = terms.symbol
            and changes.method = terms.method
            and changes.period_end = terms.period_end
    asof inner join versions
        on
            terms.symbol = versions.symbol
            and terms.term_type = versions.period_type
            and terms.term_end = versions.period_end
            and changes.figure = versions.figure
            and changes.as_of >= versions.as_of
    group by all
    having count(*) = changes.term_count and min(versions.currency) = max(versions.currency)
),

known as (
    select distinct
        symbol,
        figure,
        as_of,
        max({
            'period_end': period_end,
            'priority': list_position(['annual', 'annual_and_interim', 'four_quarters', 'reported'], method),
            'as_of': as_of,
            'method': method,
            'value': value,
            'currency': currency,
            'is_assumed': is_assumed
        }) over (partition by symbol, figure order by as_of) as best
    from added
),

days as (
    select
        known.symbol,
        known.as_of,
        max(published.known_from) as known_from
    from known
    inner join {{ ref("int_fundamentals_split_adjusted") }} as published
        on known.symbol = published.symbol and known.as_of = published.as_of
    group by known.symbol, known.as_of
)

select
    days.symbol,
    days.as_of,
    days.known_from,
    {% for figure in ["eps", "dividends", "book_value"] %}
        {{ figure }}.best.value as {{ figure }},
        {{ figure }}.best.currency as {{ figure }}_currency,
        {{ figure }}.best.period_end as {{ figure }}_period_end,
        {% if figure == "eps" %}eps.best.method as eps_method,{% endif %}
    {% endfor %}
    coalesce(eps.best.is_assumed, false) or coalesce(book_value.best.is_assumed, false) as is_publication_assumed
from days
{% for figure in ["eps", "dividends", "book_value"] %}
    asof left join known as {{ figure }}
        on days.symbol = {{ figure }}.symbol and '{{ figure }}' = {{ figure }}.figure and days.as_of >= {{ figure }}.as_of
{% endfor %}
