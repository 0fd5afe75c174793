{% set figures = [
    ("dividend_yield_ttm", "dividend_weight_covered"),
    ("trailing_pe", "trailing_pe_weight_covered"),
    ("price_to_book", "price_to_book_weight_covered"),
] %}
-- severity: critical
-- table: marts.fct_basket_valuation_daily
-- why: A figure of a basket belongs to a share of its weight, and is not below zero.

select
    basket_id,
    date,
    dividend_yield_ttm,
    dividend_weight_covered,
    trailing_pe,
    trailing_pe_weight_covered,
    price_to_book,
    price_to_book_weight_covered
from marts.fct_basket_valuation_daily
where
    (dividend_weight_covered > 0) <> (dividend_yield_ttm is not null)
    {% for figure, covered in figures %}
        or {{ covered }} < 0
        or {{ covered }} > 1 + 1e-9
        or {{ figure }} < 0
        or ({{ figure }} is not null and coalesce({{ covered }}, 0) = 0)
    {% endfor %}
