-- severity: critical
-- table: quality.pending_units
-- why: A rate older than {{ var("max_fx_age_days") }} days is not used, so every price in that currency would lose its
--   dollar value.

select
    units.batch_id,
    units.symbol,
    'last rate ' || coalesce(max(fx.date)::varchar, 'none') || ', wanted up to ' || units.end_date as detail
from quality.pending_units as units
left join quality.candidate_fx as fx on units.symbol = fx.symbol and units.end_date >= fx.date
where units.dataset = 'fx_rates'
group by units.batch_id, units.symbol, units.end_date
having max(fx.date) is null or max(fx.date) < units.end_date - {{ var("max_fx_age_days") }}
