-- Each split that no accepted unit has, beside the closes before its ex-date: as they were without it (by a fetch of
-- before, or one that covered that day and had no split), and as the unit has them now. What it does not change is not
-- stored again. A split that moves changes no close: the unit withdraws it and tells the same ratio a few days away.
create or replace table quality.new_splits as
with known as (
    select
        actions.symbol,
        actions.date
    from raw.corporate_actions as actions
    inner join raw.current_verdicts as verdicts
        on actions.batch_id = verdicts.batch_id and actions.symbol = verdicts.symbol
    where actions.action = 'split' and actions.value > 0 and verdicts.verdict in ('accepted', 'released')
    union
    select
        symbol,
        date
    from quality.corrections
    where field = 'split_ratio'
),

accepted as (
    select
        actions.symbol,
        actions.date,
        arg_max(actions.value, {{ version_order("actions") }}) as ratio
    from raw.corporate_actions as actions
    inner join raw.current_verdicts as verdicts
        on actions.batch_id = verdicts.batch_id and actions.symbol = verdicts.symbol
    where actions.action = 'split' and verdicts.verdict in ('accepted', 'released')
    group by actions.symbol, actions.date
),

-- Each withdrawn one accounts for one new one, the nearest.
moved as (
    select
        actions.batch_id,
        actions.symbol,
        actions.date
    from raw.corporate_actions as actions
    inner join raw.corporate_actions as gone
        on
            actions.batch_id = gone.batch_id
            and actions.symbol = gone.symbol
            and gone.action = 'split'
            and gone.value = 0
            and abs(actions.date - gone.date) <= 10
    inner join accepted
        on
            gone.symbol = accepted.symbol
            and gone.date = accepted.date
            and accepted.ratio > 0
            and abs(actions.value / accepted.ratio - 1) < 1e-9
    where
        actions.action = 'split'
        and actions.value > 0
        and (actions.symbol, actions.date) not in (select (known.symbol, known.date) from known)
    qualify row_number() over (
        partition by gone.batch_id, gone.symbol, gone.date
        order by abs(actions.date - gone.date), actions.date
    ) = 1
),

new as (
    select
        actions.batch_id,
        actions.symbol,
        actions.date as ex_date,
        actions.value as ratio,
        units.start_date,
        units.fetched_at,
        units.landed_at
    from raw.corporate_actions as actions
    inner join quality.pending_units as units on actions.batch_id = units.batch_id and actions.symbol = units.symbol
    where
        actions.action = 'split'
        and {{ is_large_split("actions.value") }}
        and (actions.symbol, actions.date) not in (select (known.symbol, known.date) from known)
        and (actions.batch_id, actions.symbol, actions.date) not in
        (select (moved.batch_id, moved.symbol, moved.date) from moved)
)

select
    new.batch_id,
    new.symbol,
    new.ex_date,
    new.ratio,
    before.date,
    arg_max(before.vendor_close, {{ version_order("before") }}) as close_before,
    coalesce(any_value(own.vendor_close), close_before) as close_now
from new
inner join quality.price_versions as before
    on
        new.symbol = before.symbol
        and {{ version_order("new") }} > {{ version_order("before") }}
        and new.ex_date > before.date
        and coalesce(new.start_date, before.date) <= before.date
        and before.is_accepted
inner join raw.fetch_windows as fetches
    on
        before.batch_id = fetches.batch_id
        and before.symbol = fetches.symbol
        and (
            new.ex_date > before.basis_date
            or (new.ex_date between coalesce(fetches.start_date, new.ex_date) and fetches.end_date)
        )
left join quality.price_versions as own
    on new.batch_id = own.batch_id and new.symbol = own.symbol and before.date = own.date
group by all
