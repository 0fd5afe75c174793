-- severity: critical
-- table: quality.price_steps
-- why: A split in the events that the prices do not include would show as a crash.

select
    steps.batch_id,
    steps.symbol,
    'the price moves with the split of ' || splits.ex_date || ' (ratio ' || splits.ratio || '), which it should include'
        as detail
from quality.price_steps as steps
inner join quality.splits as splits
    on
        steps.symbol = splits.symbol
        and steps.date >= splits.ex_date
        and steps.previous_date < splits.ex_date
        and steps.basis_date >= splits.ex_date
where
    (steps.is_pending or steps.previous_is_pending)
    and {{ is_large_split("splits.ratio") }}
    and abs(ln(steps.close / steps.previous_close) + ln(splits.ratio)) < abs(ln(splits.ratio)) / 2
