"""How far a basket swings and falls, alone and against others."""

from __future__ import annotations

from include.publishing.report.figures import Row, Section
from include.publishing.report.published import Published

DRAWDOWNS = 5


def risk(published: Published, basket: Row) -> Section:
    """Volatility and largest fall of each window that has enough returns."""
    rows = published.rows(
        """from marts.fct_basket_risk
        where basket_id = $basket_id and date = $risk_date and currency_basis = 'local' and return_type = 'price'
            and benchmark_id is null and volatility is not null
        order by list_position(['30d', '90d', '1y', '3y'], window_length)""",
        basket_id=basket["basket_id"],
        risk_date=basket["risk_date"],
    )
    return Section(rows, None if rows else "The history is too short for a volatility, even over 30 sessions.")


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
    """The deepest falls from a record."""
    rows = published.rows(
        """from marts.fct_drawdown_episodes
        where subject_id = $basket_id and subject_kind = 'basket' and currency_basis = 'local'
            and return_type = 'price' and peak_date <= $session
        order by depth, peak_date limit $limit""",
        basket_id=basket["basket_id"],
        limit=DRAWDOWNS,
    )
    return Section(rows, None if rows else "The basket has not fallen by 5% from a record in the history of the data.")
