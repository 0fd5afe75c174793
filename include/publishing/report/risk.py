"""How far a basket swings and falls, alone and against others."""

from __future__ import annotations

from include.publishing.report.figures import Row, Section
from include.publishing.report.published import Published

DRAWDOWNS = 5
SMALLEST_FALL = 0.05
"""As the episodes of the marts, min_episode_depth of the dbt project."""


def risk(published: Published, basket: Row) -> Section:
    """Volatility and largest fall of each window that has enough returns, and the Sharpe ratio of total returns."""
    rows = published.rows(
        """select risk.* exclude (sharpe_ratio, risk_free_series, sharpe_ratio_reason), totals.sharpe_ratio,
            totals.risk_free_series, totals.sharpe_ratio_reason
        from marts.fct_basket_risk as risk
        left join marts.fct_basket_risk as totals
            on risk.basket_id = totals.basket_id and risk.date = totals.date
                and risk.currency_basis = totals.currency_basis and risk.window_length = totals.window_length
                and totals.return_type = 'total' and totals.benchmark_id is null
        where risk.basket_id = $basket_id and risk.date = $risk_date and risk.currency_basis = 'local'
            and risk.return_type = 'price' and risk.benchmark_id is null and risk.volatility is not null
        order by list_position(['30d', '90d', '1y', '3y'], risk.window_length)""",
        basket_id=basket["basket_id"],
        risk_date=basket["risk_date"],
    )
    return Section(rows, None if rows else "The history is too short for a volatility, even over 30 sessions.")


def sharpe_note(found: Section) -> str:
    """Which rates the Sharpe ratios are measured against, and why one is missing."""
    named = {row["risk_free_series"]: None for row in found.rows if row["sharpe_ratio"] is not None}
    missing = {row["sharpe_ratio_reason"]: None for row in found.rows if row["sharpe_ratio_reason"]}
    sentences = [f"Sharpe ratio: with dividends, over the risk-free rate {series}." for series in named]
    sentences += [f"{'Not in every window' if named else 'No Sharpe ratio'}: {reason}." for reason in missing]
    return " ".join(sentences)


def benchmarks(published: Published, basket: Row) -> Section:
    """The basket against indices and baskets, in local currency where the members share one, else in dollars."""
    rows = published.rows(
        """from marts.fct_basket_risk
        where basket_id = $basket_id and date = $risk_date and return_type = 'price' and beta is not null
        qualify currency_basis = min(currency_basis) over (partition by benchmark_id)
        order by benchmark_name, window_length desc""",
        basket_id=basket["basket_id"],
        risk_date=basket["risk_date"],
    )
    unmeasured = published.rows(
        """select benchmark_name from marts.fct_basket_risk
        where basket_id = $basket_id and date = $risk_date and benchmark_id is not null
        group by benchmark_name having max(beta) is null order by benchmark_name""",
        basket_id=basket["basket_id"],
        risk_date=basket["risk_date"],
    )
    if unmeasured:
        names = ", ".join(row["benchmark_name"] for row in unmeasured)
        return Section(rows, f"Too few common weeks for a beta, correlation or tracking error: {names}.")
    return Section(rows, None if rows else "The seeds name no index and no basket to measure this basket against.")


def drawdowns(published: Published, basket: Row) -> Section:
    """The deepest falls from a record, as they were on the day of the basket."""
    rows = published.rows(
        """with falls as (
            from marts.fct_drawdown_episodes
            where subject_id = $basket_id and subject_kind = 'basket' and currency_basis = 'local'
                and return_type = 'price' and peak_date <= $as_of),
        deeper_since as (
            select falls.peak_date, min(levels.drawdown) as depth,
                arg_min(levels.date, row(levels.drawdown, levels.date)) as trough_date
            from falls inner join marts.fct_basket_daily as levels
                on levels.date between falls.peak_date and $as_of
            where falls.trough_date > $as_of and levels.basket_id = $basket_id and levels.currency_basis = 'local'
                and levels.return_type = 'price' and levels.drawdown is not null
            group by falls.peak_date)
        select falls.peak_date, ifnull(deeper_since.trough_date, falls.trough_date) as trough_date,
            case when falls.recovery_date <= $as_of then falls.recovery_date end as recovery_date,
            ifnull(deeper_since.depth, falls.depth) as depth
        from falls left join deeper_since on falls.peak_date = deeper_since.peak_date
        where deeper_since.depth is null or round(deeper_since.depth, 12) <= -$smallest
        order by depth, falls.peak_date limit $limit""",
        basket_id=basket["basket_id"],
        as_of=basket["as_of"],
        smallest=SMALLEST_FALL,
        limit=DRAWDOWNS,
    )
    return Section(rows, None if rows else "The basket has not fallen by 5% from a record in the history of the data.")
