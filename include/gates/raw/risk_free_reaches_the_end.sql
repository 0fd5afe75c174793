-- severity: warning
-- table: quality.pending_units
-- why: A rate older than {{ var("max_fx_age_days") }} days is not used, so what is measured against it has no value from
--   then on.

select
    units.batch_id,
    units.symbol,
    'last rate ' || max(rates.date) || ', wanted up to ' || units.end_date as detail
from quality.pending_units as units
inner join quality.candidate_risk_free as rates on units.symbol = rates.symbol and units.end_date >= rates.date
where units.dataset = 'risk_free'
group by units.batch_id, units.symbol, units.end_date
having max(rates.date) < units.end_date - {{ var("max_fx_age_days") }}
