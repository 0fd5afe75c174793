-- The subjects of event windows and press claims: every basket, equity and index, what each is measured against, and
-- how far its data reach.
select
    baskets.basket_id as subject_id,
    'basket' as subject_kind,
    baskets.name as subject_name,
    baskets.comparator_basket_id as measured_against,
    progress.complete_until
from {{ ref("baskets") }} as baskets
left join {{ ref("int_basket_progress") }} as progress on baskets.basket_id = progress.basket_id
union all
select
    securities.symbol as subject_id,
    securities.kind as subject_kind,
    securities.name as subject_name,
    case when securities.kind = 'equity' then exchanges.benchmark_symbol end as measured_against,
    progress.complete_until
from {{ ref("securities") }} as securities
inner join {{ ref("exchanges") }} as exchanges on securities.exchange = exchanges.exchange
left join {{ ref("int_exchange_progress") }} as progress on securities.exchange = progress.exchange
