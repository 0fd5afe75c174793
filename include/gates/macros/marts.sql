{# The days on which the contributions of a period do not add up to the basket's return: one check a period. #}
{% macro contributions_beside_returns(period) -%}
with members as (
    select
        basket_id,
        date,
        currency_basis,
        return_type,
        sum(contribution_{{ period }}) as contributions,
        count(*) = count(contribution_{{ period }}) as is_whole
    from marts.fct_basket_member_daily
    group by basket_id, date, currency_basis, return_type
)

select
    returns.basket_id,
    returns.date,
    returns.currency_basis,
    returns.return_type,
    returns.return_{{ period }},
    members.contributions
from members
full outer join marts.fct_basket_daily as returns
    on
        members.basket_id = returns.basket_id
        and members.date = returns.date
        and members.currency_basis = returns.currency_basis
        and members.return_type = returns.return_type
where
    abs(members.contributions - returns.return_{{ period }}) > 1e-9
    or (returns.return_{{ period }} is null) <> (members.contributions is null)
    or (returns.return_{{ period }} is not null and not members.is_whole)
{%- endmacro %}
