-- Values that a vendor changed after the first version. Versions are compared on one split basis: a difference that is
-- the split is no restatement. The same number in another currency is one.
with versions as (
    {{ value_versions() }}
),

on_one_basis as (
    select
        versions.*,
        {{ split_factor() }} ** versions.exponent as basis_factor,
        versions.reported * {{ split_factor() }} ** versions.exponent as value
    from versions
    {{ split_factor_join("versions") }}
),

compared as (
    select
        *,
        row_number() over history as version_number,
        lag(value) over history as before,
        lag(reported) over history as reported_before,
        lag(currency) over history as currency_before,
        lag(basis_factor) over history as basis_factor_before,
        coalesce(currency <> currency_before, false) as is_in_another_currency,
        abs(value - before) <= if(is_in_another_currency, -1, 1e-6 * abs(before)) as is_same
    from on_one_basis
    window history as (
        partition by symbol, date, field, detail
        order by {{ version_order() }}
    )
),

restated as (
    select
        *,
        case
            when field in ('dividend', 'split_ratio') and reported = 0 then 'withdrawn'
            when is_same and basis_factor <> basis_factor_before then 'split'
            when is_same then 'rounding'
            else 'restated'
        end as kind
    from compared
    where version_number > 1 and (reported is distinct from reported_before or not is_same)
),

paying_days as (
    select *
    from {{ ref("stg_prices") }}
    where (symbol, date) in (
        select
            restated.symbol,
            restated.date
        from restated
        where restated.field = 'dividend'
    )
    {{ latest_version(["symbol", "date"]) }}
),

closes as (
    select
        paying_days.symbol,
        paying_days.date,
        paying_days.close / {{ split_factor() }} as close
    from paying_days
    {{ split_factor_join("paying_days") }}
),

final as (
    select
        restated.symbol,
        restated.date,
        restated.field,
        restated.detail,
        restated.version_number,
        restated.kind,
        restated.reported_before as value_before,
        restated.reported as value_after,
        restated.currency_before,
        restated.currency as currency_after,
        restated.basis_factor_before,
        restated.basis_factor as basis_factor_after,
        case
            when not restated.is_in_another_currency then restated.value / nullif(restated.before, 0) - 1
        end as change_ratio,
        abs(case
            when restated.field in ('close', 'rate') then restated.value / restated.before - 1
            when restated.is_in_another_currency then null
            when restated.field = 'dividend' then (restated.value - restated.before) / closes.close
            when restated.field = 'split_ratio'
                then coalesce(nullif(restated.value, 0), 1) / coalesce(nullif(restated.before, 0), 1) - 1
        end) * weights.largest_weight as basket_effect,
        restated.fetched_at as known_at,
        restated.landed_at,
        restated.source
    from restated
    left join closes
        on restated.symbol = closes.symbol and restated.date = closes.date
    left join {{ ref("int_largest_weights") }} as weights
        on restated.symbol = weights.symbol and restated.date = weights.date
)

select * from final
