-- The headlines of the last day up to which the data of every exchange are complete, each with the basket it is about.
with latest as (
    select max(headlines.as_of) as as_of
    from {{ ref("fct_headlines") }} as headlines
    where
        headlines.as_of <= (
            select max(dates.date)
            from {{ ref("dim_dates") }} as dates
            where dates.is_complete
        )
)

select
    headlines.headline_id,
    headlines.as_of,
    baskets.basket_id,
    baskets.basket_name,
    headlines.measure,
    headlines.value_text,
    headlines.value_date,
    headlines.sentence,
    headlines.is_simulated
from {{ ref("fct_headlines") }} as headlines
inner join latest on headlines.as_of = latest.as_of
left join {{ ref("dim_baskets") }} as baskets on split_part(headlines.subject, '_vs_', 1) = baskets.basket_id
