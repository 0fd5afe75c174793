-- What a pending unit would change of the accepted rates.
create or replace table quality.restated_fx as
select
    pending.batch_id,
    pending.symbol,
    pending.date,
    pending.rate,
    arg_max(versions.rate, {{ version_order("versions") }}) as accepted_rate
from quality.candidate_fx as pending
inner join raw.fx_rates as versions
    on
        pending.base_currency = versions.base_currency
        and pending.quote_currency = versions.quote_currency
        and pending.date = versions.date
inner join raw.current_verdicts as verdicts
    on versions.batch_id = verdicts.batch_id and pending.symbol = verdicts.symbol
where pending.is_pending and verdicts.verdict in ('accepted', 'released')
group by all
