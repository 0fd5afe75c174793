-- A basket and its comparator as two lines of one chart: both have a level on every day of either, from their first
-- common day on, so that no line breaks. A basket without a comparator is drawn alone.
with compared as (
    select
        basket_id,
        comparator_basket_id,
        comparator_name,
        date,
        level_rebased,
        comparator_level_rebased,
        relative_level
    from {{ ref("fct_basket_comparison_daily") }}
    where is_default_comparator and currency_basis = 'local' and return_type = 'price' and relative_level is not null
),

alone as (
    select
        basket_id,
        date,
        100 * level / first_value(level) over (
            partition by basket_id
            order by date
        ) as line_level
    from {{ ref("fct_basket_daily") }}
    where
        currency_basis = 'local'
        and return_type = 'price'
        and level is not null
        and basket_id not in (select compared.basket_id from compared)
),

lines as (
    select
        basket_id,
        basket_id as line_id,
        null as comparator_name,
        date,
        level_rebased as line_level,
        relative_level
    from compared
    union all
    select
        basket_id,
        comparator_basket_id as line_id,
        comparator_name,
        date,
        comparator_level_rebased as line_level,
        null as relative_level
    from compared
    union all
    select
        basket_id,
        basket_id as line_id,
        null as comparator_name,
        date,
        line_level,
        null as relative_level
    from alone
)

select
    lines.basket_id,
    factsheet.basket_name,
    lines.line_id,
    coalesce(lines.comparator_name, factsheet.basket_name) as line_name,
    lines.date,
    lines.line_level,
    lines.relative_level,
    factsheet.is_simulated
from lines
inner join {{ ref("factsheet") }} as factsheet on lines.basket_id = factsheet.basket_id and lines.date <= factsheet.as_of
