-- Volatility of each series of a basket over each window: the standard deviation of simple returns of days, weeks or
-- months, annualised. A cycle without a level, or after one without, has no return. Of total returns of weeks and months
-- also the Sharpe ratio, where the last return and enough others have a risk-free rate, known when they begin.
with closes as (
    {% for cycle in var("cycles_per_year") %}
        select
            basket_id,
            currency_basis,
            return_type,
            '{{ cycle }}' as cycle,
            date_trunc('{{ cycle }}', date)::date as cycle_start,
            (date_trunc('{{ cycle }}', date) + interval 1 {{ cycle }})::date as next_start,
            max(date) as date,
            arg_max(level, date) as level
        from {{ ref("int_basket_levels") }}
        group by basket_id, currency_basis, return_type, cycle_start, next_start
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

returns as (
    select
        *,
        lag(date) over series as base_date,
        case
            when cycle = 'day' or {{ is_recent_base("lag(date) over series", "cycle_start") }}
                then level / lag(level) over series - 1
        end as simple_return
    from closes
    window series as (
        partition by basket_id, currency_basis, return_type, cycle
        order by cycle_start
    )
),

rated as (
    select
        returns.*,
        rates.tenor as risk_free_tenor,
        returns.simple_return - rates.risk_free_rate * (returns.date - returns.base_date) / 365 as excess_return
    from returns
    left join {{ ref("int_basket_risk_free") }} as currencies
        on
            returns.basket_id = currencies.basket_id and returns.currency_basis = currencies.currency_basis
            and returns.return_type = 'total'
            and returns.cycle <> 'day'
    left join {{ ref("int_risk_free_daily") }} as rates
        on currencies.currency = rates.currency and returns.base_date = rates.date
),

measured as (
    {% for name, risk_window in var("risk_windows").items() %}
        select
            basket_id,
            currency_basis,
            return_type,
            next_start,
            '{{ name }}' as window_length,
            count(simple_return) over last_{{ name }} as observations,
            {{ var("min_observations_ratio") }} * {{ risk_window.returns }} as min_observations,
            stddev_samp(simple_return) over last_{{ name }}
            * sqrt({{ var("cycles_per_year")[risk_window.cycle] }}) as volatility,
            count(excess_return) over last_{{ name }} as excess_observations,
            case when excess_observations < min_observations then excess_observations end as too_few_rated,
            case when simple_return is not null and excess_return is null then base_date end as unrated_base_date,
            risk_free_tenor,
            avg(excess_return) over last_{{ name }} / nullif(stddev_samp(excess_return) over last_{{ name }}, 0)
            * sqrt({{ var("cycles_per_year")[risk_window.cycle] }}) as sharpe_ratio
        from rated
        where cycle = '{{ risk_window.cycle }}'
        window
            last_{{ name }} as (
                partition by basket_id, currency_basis, return_type
                order by cycle_start
                {{ last_cycles(risk_window.cycle, risk_window.returns) }}
            )
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

series as (
    select distinct
        basket_id,
        currency_basis,
        return_type
    from closes
),

wanted as (
    select
        month_ends.basket_id,
        month_ends.date,
        month_ends.next_date,
        series.currency_basis,
        series.return_type,
        unnest({{ var("risk_windows") | list }}) as window_length
    from {{ ref("int_basket_month_ends") }} as month_ends
    inner join series on month_ends.basket_id = series.basket_id
)

select
    wanted.basket_id,
    wanted.date,
    wanted.currency_basis,
    wanted.return_type,
    wanted.window_length,
    coalesce(measured.observations, 0) as observations,
    case when measured.observations >= measured.min_observations then measured.volatility end as volatility,
    measured.risk_free_tenor,
    measured.unrated_base_date,
    measured.too_few_rated,
    case when measured.unrated_base_date is null and measured.too_few_rated is null then measured.sharpe_ratio end as sharpe_ratio
from wanted
asof left join measured
    on
        wanted.basket_id = measured.basket_id
        and wanted.currency_basis = measured.currency_basis
        and wanted.return_type = measured.return_type
        and wanted.window_length = measured.window_length
        and wanted.next_date >= measured.next_start
