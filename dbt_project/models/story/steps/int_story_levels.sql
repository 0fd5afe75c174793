-- The days of every subject with its level: a basket's in local currency without dividends, an equity's close, an
-- index's level.
{{ config(materialized="view") }}

select
    basket_id as subject_id,
    date,
    level,
    true as has_own_level
from {{ ref("fct_basket_daily") }}
where currency_basis = 'local' and return_type = 'price'
union all
select
    symbol as subject_id,
    date,
    close as level,
    is_traded as has_own_level
from {{ ref("fct_security_daily") }}
union all
select
    symbol as subject_id,
    date,
    level,
    is_traded as has_own_level
from {{ ref("fct_index_daily") }}
