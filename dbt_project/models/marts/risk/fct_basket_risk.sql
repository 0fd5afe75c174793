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
        case when volatility.volatility is not null then drawdowns.max_drawdown end as max_drawdown
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
    measures.information_ratio
from measures
inner join {{ ref("baskets") }} as baskets on measures.basket_id = baskets.basket_id
left join {{ ref("securities") }} as benchmark_indices on measures.benchmark_id = benchmark_indices.symbol
left join {{ ref("baskets") }} as benchmark_baskets on measures.benchmark_id = benchmark_baskets.basket_id
