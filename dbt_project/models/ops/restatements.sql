-- Values that a vendor changed after the first version. Versions are compared on one split basis: a difference that is
-- the split is no restatement. The same number in another currency is one.
with actions as (
    select
        symbol,
        date,
        case action when 'split' then 'split_ratio' else action end as field,
        value,
        currency,
        basis_date,
        fetched_at,
        landed_at,
        source
    from {{ ref("stg_corporate_actions") }}
    where {{ dated_by_then("date") }}
),

first_prices as (
    select *
    from {{ ref("stg_prices") }}
    qualify row_number() over (partition by symbol, date order by {{ version_order() }}) = 1
),

-- Without a dividend or split there is no row: a price row that is older than the first version of one implies that
-- there was none.
implied as (
    select
        first_prices.symbol,
        first_prices.date,
        actions.field,
        first_prices.basis_date,
        first_prices.fetched_at,
        first_prices.landed_at,
        first_prices.source
    from first_prices
    inner join actions on first_prices.symbol = actions.symbol and first_prices.date = actions.date
    group by all
    having {{ version_order("first_prices") }} < min({{ version_order("actions") }})
),

versions as (
    {{ value_versions() }}
),

on_one_basis as (
    select
        versions.*,
        {{ split_factor() }} ** versions.exponent as adjustment,
        versions.reported * {{ split_factor() }} ** versions.exponent as value
    from versions
    {{ split_factor_join("versions") }}
),

compared as (
    select
        *,
        lag(value) over history as before,
        lag(reported) over history as before_as_reported,
        lag(adjustment) over history as adjustment_before,
        row_number() over history as version_number,
        lag(currency) over history as currency_before,
        abs(value - before) <= if(currency <> currency_before, -1, 1e-6 * abs(before)) as is_same
    from on_one_basis
    window history as (
        partition by symbol, date, field, detail
        order by {{ version_order() }}
    )
),

restated as (
    select
        *,
        nullif(currency_before, currency) || ' to ' || currency as currencies,
        case
            when field in ('dividend', 'split_ratio') and reported = 0 then 'withdrawn'
            when is_same and adjustment <> adjustment_before then 'split'
            when is_same then 'rounding'
            else 'restated'
        end as kind
    from compared
    where version_number > 1 and (reported is distinct from before_as_reported or not is_same)
),

closes as (
    select
        symbol,
        date,
        value as close
    from on_one_basis
    where field = 'close'
    {{ latest_version(["symbol", "date"]) }}
),

final as (
    select
        restated.symbol,
        restated.date,
        restated.field,
        nullif(concat_ws(', ', restated.detail, restated.currencies), '') as detail,
        restated.kind,
        restated.before_as_reported as value_before,
        restated.reported as value_after,
        case when restated.currencies is null then restated.value / nullif(restated.before, 0) - 1 end as change_ratio,
        abs(case
            when restated.field in ('close', 'rate') then restated.value / restated.before - 1
            when restated.currencies is not null then null
            when restated.field = 'dividend' then (restated.value - restated.before) / closes.close
            when restated.field = 'split_ratio'
                then coalesce(nullif(restated.value, 0), 1) / coalesce(nullif(restated.before, 0), 1) - 1
        end) * weights.largest_weight as basket_effect,
        restated.fetched_at as known_at,
        restated.source
    from restated
    left join closes
        on restated.symbol = closes.symbol and restated.date = closes.date
    left join {{ ref("int_largest_weights") }} as weights
        on restated.symbol = weights.symbol and restated.date = weights.date
)

select * from final
