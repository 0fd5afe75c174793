{% set slack = var("fiscal_year_slack_days") %}

-- Which fiscal periods make twelve months up to the end of a period, a row a period and its sign: twelve months as
-- reported; four quarters in a row; the year before, the half-year since and, taken off, the same half of the year
-- before; the year itself. A balance stands on one day; at the end of a year it is the year's, which may be out later.
with periods as (
    select distinct
        symbol,
        period_type,
        period_end
    from {{ ref("int_fundamentals_split_adjusted") }}
),

-- Of ends that lie closer together than the slack, which are of one quarter, the last.
quarter_ends as (
    select
        symbol,
        period_end
    from periods
    where period_type = 'quarter'
    qualify coalesce(lead(period_end) over (partition by symbol order by period_end) - period_end > {{ slack }}, true)
),

quarters as (
    select
        symbol,
        period_end,
        lag(period_end, 1) over series as quarter_2,
        lag(period_end, 2) over series as quarter_3,
        lag(period_end, 3) over series as quarter_4
    from quarter_ends
    window series as (partition by symbol order by period_end)
),

years as (
    select
        symbol,
        period_end
    from periods
    where period_type = 'annual'
),

halves as (
    select
        halves.symbol,
        halves.period_end,
        earlier.period_end as half_before,
        years.period_end as year_before
    from periods as halves
    asof inner join periods as earlier
        on
            halves.symbol = earlier.symbol
            and halves.period_type = earlier.period_type
            and halves.period_end - {{ 365 - slack }} >= earlier.period_end
    asof inner join years on halves.symbol = years.symbol and halves.period_end > years.period_end
    where halves.period_type = 'interim'
),

sums as (
    select
        symbol,
        period_end,
        if(period_type = 'ttm', 'reported', 'annual') as method,
        [{ 'period_type': period_type, 'period_end': period_end, 'sign': 1 }] as terms
    from periods
    where period_type in ('ttm', 'annual')
    union all
    select
        symbol,
        period_end,
        'four_quarters' as method,
        [
            {% for quarter in ["period_end", "quarter_2", "quarter_3", "quarter_4"] %}
                { 'period_type': 'quarter', 'period_end': {{ quarter }}, 'sign': 1 }{% if not loop.last %},{% endif %}
            {% endfor %}
        ] as terms
    from quarters
    where abs((period_end - quarter_4) - 365 * 0.75) <= {{ slack }}
    union all
    select
        symbol,
        period_end,
        'annual_and_interim' as method,
        [
            { 'period_type': 'annual', 'period_end': year_before, 'sign': 1 },
            { 'period_type': 'interim', 'period_end': period_end, 'sign': 1 },
            { 'period_type': 'interim', 'period_end': half_before, 'sign': -1 }
        ] as terms
    from halves
    where
        abs((period_end - year_before) - 365 * 0.5) <= {{ slack }}
        and abs((period_end - half_before) - 365) <= {{ slack }}
    union all
    select
        symbol,
        period_end,
        'balance_' || period_type as method,
        [{ 'period_type': period_type, 'period_end': period_end, 'sign': 1 }] as terms
    from periods
    where period_type <> 'interim' or (symbol, period_end) not in (select (years.symbol, years.period_end) from years)
),

final as (
    select
        * exclude (terms),
        len(terms) as term_count,
        unnest(terms) as term
    from sums
)

select
    final.symbol,
    final.period_end,
    final.method,
    final.method like 'balance_%' as is_balance,
    final.term_count,
    final.term.period_type as term_type,
    final.term.period_end as term_end,
    final.term.sign as term_sign
from final
