{% set periods = ["1d"] + (var("contribution_periods") | list) + ["since_base"] %}
-- severity: critical
-- table: marts.fct_basket_member_daily
-- why: What the members contributed is the return of their basket over the same period, also across rebalances.

with members as (
    select
        {% for period in periods %}
            sum(contribution_{{ period }}) as contributions_{{ period }},
            count(*) = count(contribution_{{ period }}) as is_whole_{{ period }},
        {% endfor %}
        basket_id,
        date,
        currency_basis,
        return_type
    from marts.fct_basket_member_daily
    group by basket_id, date, currency_basis, return_type
),

compared as (
    select
        returns.basket_id,
        returns.date,
        returns.currency_basis,
        returns.return_type,
        concat_ws(
            ', ',
            {% for period in periods %}
                case
                    when
                        abs(members.contributions_{{ period }} - returns.return_{{ period }}) > 1e-9 * greatest(1, abs(returns.return_{{ period }}))
                        or (returns.return_{{ period }} is null) <> (members.contributions_{{ period }} is null)
                        or (returns.return_{{ period }} is not null and not members.is_whole_{{ period }})
                        then '{{ period }}'
                end
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        ) as periods
    from members
    full outer join marts.fct_basket_daily as returns
        on
            members.basket_id = returns.basket_id
            and members.date = returns.date
            and members.currency_basis = returns.currency_basis
            and members.return_type = returns.return_type
)

select *
from compared
where periods <> ''
