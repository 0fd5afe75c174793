select
    multiples.basket_id,
    baskets.name as basket_name,
    multiples.date,
    multiples.forward_pe_aggregate,
    multiples.forward_pe_aggregate_profitable,
    multiples.forward_pe_equal_weight,
    multiples.forward_pe_basket_weighted,
    multiples.forward_pe_median,
    multiples.members,
    multiples.members_priced,
    multiples.members_covered,
    multiples.coverage_ratio,
    multiples.weight_covered,
    {% for days in var("revision_days") %}
        multiples.revision_breadth_{{ days }}d,
        multiples.revision_members_{{ days }}d,
    {% endfor %}
    multiples.loss_makers,
    multiples.dividend_yield_ttm,
    multiples.dividend_weight_covered
from {{ ref("int_basket_multiples") }} as multiples
inner join {{ ref("baskets") }} as baskets on multiples.basket_id = baskets.basket_id
