-- Each series of a basket against each of its benchmarks over windows of weekly returns that end at its month ends.
-- Where there are five sets of weeks a measure is the mean of the five; the mean of their standard errors is the most
-- that the standard error of that mean can be.
with measured as (
    {% for name, weeks in var("benchmark_windows").items() %}
        select
            *,
            '{{ name }}' as window_length,
            {{ var("min_observations_ratio") }} * {{ weeks }} as min_observations,
            count(basket_return) over last_{{ name }} as observations,
            covar_samp(basket_return, benchmark_return) over last_{{ name }} as covariance,
            var_samp(basket_return) over last_{{ name }} as basket_variance,
            var_samp(benchmark_return) over last_{{ name }} as benchmark_variance,
            avg(active_return) over last_{{ name }} as mean_active_return,
            stddev_samp(active_return) over last_{{ name }} as active_risk
        from {{ ref("int_basket_benchmark_returns") }}
        window
            last_{{ name }} as (
                partition by basket_id, benchmark_id, currency_basis, return_type, week_shift
                order by week_start
                {{ last_cycles("week", weeks) }}
            )
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

sets as (
    select
        basket_id,
        benchmark_id,
        currency_basis,
        return_type,
        unnest(week_shifts) as week_shift
    from {{ ref("int_basket_benchmarks") }}
),

wanted as (
    select
        sets.*,
        month_ends.date,
        month_ends.next_date,
        unnest({{ var("benchmark_windows") | list }}) as window_length
    from sets
    inner join {{ ref("int_basket_month_ends") }} as month_ends on sets.basket_id = month_ends.basket_id
),

at_month_ends as (
    select
        wanted.*,
        coalesce(measured.observations, 0) as observations,
        coalesce(measured.observations >= measured.min_observations, false) as is_observed,
        measured.covariance / nullif(sqrt(measured.basket_variance * measured.benchmark_variance), 0) as correlation,
        measured.covariance / nullif(measured.benchmark_variance, 0) as beta,
        measured.basket_variance / nullif(measured.benchmark_variance, 0) as variance_ratio,
        case when measured.observations > 2 then measured.observations - 2 end as degrees_of_freedom,
        measured.active_risk * sqrt({{ var("cycles_per_year").week }}) as tracking_error,
        measured.mean_active_return / nullif(measured.active_risk, 0)
        * sqrt({{ var("cycles_per_year").week }}) as information_ratio
    from wanted
    asof left join measured
        on
            wanted.basket_id = measured.basket_id
            and wanted.benchmark_id = measured.benchmark_id
            and wanted.currency_basis = measured.currency_basis
            and wanted.return_type = measured.return_type
            and wanted.week_shift = measured.week_shift
            and wanted.window_length = measured.window_length
            and wanted.next_date >= measured.next_start
),

final as (
    select
        *,
        -- Of an ordinary regression with an intercept. Rounding may leave a perfect fit less than none.
        case
            when beta is not null then sqrt(greatest(variance_ratio - beta * beta, 0) / degrees_of_freedom)
        end as beta_standard_error
    from at_month_ends
)

select
    basket_id,
    date,
    currency_basis,
    return_type,
    window_length,
    benchmark_id,
    count(*) as week_sets,
    min(observations) as observations,
    {% for measure in ["correlation", "beta", "beta_standard_error", "tracking_error", "information_ratio"] %}
        case when bool_and(is_observed) then avg({{ measure }}) end as {{ measure }}{% if not loop.last %},{% endif %}
    {% endfor %}
from final
group by basket_id, date, currency_basis, return_type, window_length, benchmark_id
