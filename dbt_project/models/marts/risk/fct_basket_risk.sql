with alone as (
    select
        volatility.basket_id,
        volatility.date,
        volatility.currency_basis,
        volatility.return_type,
        volatility.window_length,
        null::varchar as benchmark_id,
        volatility.observations,
        volatility.volatility,
        case when volatility.volatility is not null then drawdowns.max_drawdown end as max_drawdown,
        volatility.sharpe_ratio,
        volatility.risk_free_tenor,
        volatility.unrated_base_date,
        volatility.too_few_rated,
        volatility.return_type = 'total' and volatility.window_length in ({{ sharpe_windows() }}) as has_sharpe_ratio
    from {{ ref("int_basket_volatility") }} as volatility
    left join {{ ref("int_basket_window_drawdowns") }} as drawdowns
        on
            volatility.basket_id = drawdowns.basket_id
            and volatility.date = drawdowns.date
            and volatility.currency_basis = drawdowns.currency_basis
            and volatility.return_type = drawdowns.return_type
            and volatility.window_length = drawdowns.window_length
),

measures as (
    select *
    from alone
    union all by name
    select *
    from {{ ref("int_basket_benchmark_risk") }}
)

select
    measures.basket_id,
    baskets.name as basket_name,
    measures.date,
    measures.currency_basis,
    measures.return_type,
    measures.window_length,
    measures.benchmark_id,
    coalesce(benchmark_indices.name, benchmark_baskets.name) as benchmark_name,
    measures.observations::integer as observations,
    measures.volatility,
    measures.max_drawdown,
    measures.correlation,
    measures.beta,
    measures.beta_standard_error,
    measures.week_sets::integer as week_sets,
    measures.tracking_error,
    measures.information_ratio,
    measures.sharpe_ratio,
    case when measures.has_sharpe_ratio then rates.currency || ' ' || coalesce(measures.risk_free_tenor, rates.tenor) end as risk_free_series,
    case
        when not coalesce(measures.has_sharpe_ratio, false) or measures.sharpe_ratio is not null then null
        when rates.currency is null then 'the members trade in several currencies'
        when rates.tenor is null then 'there are no risk-free rates of ' || rates.currency
        when measures.volatility is null then 'there are too few returns'
        when measures.unrated_base_date > rates.last_quote_date
            then 'the risk-free rates of ' || rates.currency || ' end on ' || rates.last_quote_date
        when measures.unrated_base_date > rates.first_quote_date
            then
                'there is no risk-free rate of ' || rates.currency || ' in the {{ var("max_fx_age_days") }} days up to '
                || measures.unrated_base_date
        when measures.too_few_rated is not null
            then
                'only ' || measures.too_few_rated || ' of ' || measures.observations || ' returns have a risk-free rate of '
                || rates.currency || ', whose rates begin on ' || rates.first_quote_date
        else 'the returns in excess of the risk-free rate do not vary'
    end as sharpe_ratio_reason
from measures
inner join {{ ref("baskets") }} as baskets on measures.basket_id = baskets.basket_id
left join {{ ref("int_basket_risk_free") }} as rates
    on measures.basket_id = rates.basket_id and measures.currency_basis = rates.currency_basis
left join {{ ref("securities") }} as benchmark_indices on measures.benchmark_id = benchmark_indices.symbol
left join {{ ref("baskets") }} as benchmark_baskets on measures.benchmark_id = benchmark_baskets.basket_id
