"""What a basket holds, what that costs, and what its market value gained."""

from __future__ import annotations

from include.publishing.report.figures import Row, Section
from include.publishing.report.published import Published
from include.publishing.report.wording import no_day

_WHOLE = 1 - 1e-9
"""A share of weights that adds up to all of them."""


def members(published: Published, basket: Row) -> Section:
    """Members of the day, the largest first, then those that left within the year.

    ``weight_year_start`` is the weight on the first session of the year, and ``expected_growth`` the earnings expected
    of the next fiscal year over those of this one, less one.
    """
    rows = published.rows(
        """select members.symbol, members.security_name, dim_securities.sector, members.weight_close,
            starts.weight_open as weight_year_start, members.contribution_ytd,
            securities.return_ytd, valuations.forward_pe, valuations.is_loss_maker,
            case when valuations.eps_fy1 > 0 then valuations.eps_fy2 / valuations.eps_fy1 - 1 end as expected_growth,
            members.weight_close = 0 as has_left
        from marts.fct_basket_member_daily as members
        left join marts.dim_securities as dim_securities on members.symbol = dim_securities.symbol
        left join (
            select symbol, arg_min(weight_open, date) as weight_open, min(date) as date
            from marts.fct_basket_member_daily
            where basket_id = $basket_id and currency_basis = 'local' and return_type = 'price'
                and date between date_trunc('year', $as_of::date) and $as_of
            group by symbol
            qualify min(date) = min(min(date)) over ()
        ) as starts on members.symbol = starts.symbol
        asof left join (
            select symbol, date, return_ytd from marts.fct_security_daily
            where date between $as_of::date - 30 and $as_of and symbol in (select symbol from marts.dim_basket_members)
        ) as securities on members.symbol = securities.symbol and members.date >= securities.date
        asof left join (
            select symbol, date, forward_pe, is_loss_maker, eps_fy1, eps_fy2 from marts.fct_security_valuation_daily
            where date between $as_of::date - 30 and $as_of and symbol in (select symbol from marts.dim_basket_members)
        ) as valuations on members.symbol = valuations.symbol and members.date >= valuations.date
        where members.basket_id = $basket_id and members.date = $as_of and members.currency_basis = 'local'
            and members.return_type = 'price'
            and (members.weight_close is distinct from 0 or members.contribution_ytd <> 0)
        order by members.weight_close desc nulls last, members.symbol""",
        basket_id=basket["basket_id"],
        as_of=basket["as_of"],
    )
    return Section(rows, None if rows else no_day(basket))


def exposures(published: Published, basket: Row) -> Section:
    """Weights by sector, country and currency at the last month end or rebalance, where a kind has more than one."""
    rows = published.rows(
        """select kind, value, weight, date, turnover_12m from marts.fct_basket_exposures
        where basket_id = $basket_id and date <= $session
        qualify date = max(date) over ()
        order by case kind when 'sector' then 1 when 'country' then 2 else 3 end, weight desc, value""",
        basket_id=basket["basket_id"],
    )
    return Section(rows, None if rows else no_day(basket))


def valuation(published: Published, basket: Row, without: str | None) -> Section:
    """The multiples and the dividend yield of the day.

    Args:
        without: the headline that says why the forward P/E is no figure of the basket, such as too few members.
    """
    rows = published.rows(
        """select valuations.*, comparisons.forward_pe_discount
        from marts.fct_basket_valuation_daily as valuations
        left join marts.fct_basket_comparison_daily as comparisons
            on valuations.basket_id = comparisons.basket_id and valuations.date = comparisons.date
                and comparisons.is_default_comparator and comparisons.currency_basis = 'local'
                and comparisons.return_type = 'price'
        where valuations.basket_id = $basket_id and valuations.date = $as_of""",
        basket_id=basket["basket_id"],
        as_of=basket["as_of"],
    )
    return Section(rows, without if rows else no_day(basket))


def trailing_notes(found: Section) -> list[str]:
    """Why a figure of the last twelve months is missing, or of a part of the basket alone; a sentence each."""
    if not found.rows:
        return []
    notes, partly = [], []
    for name, figure, covered, of, known in (
        ("P/E", "trailing_pe", "trailing_pe_weight_covered", "earnings", "earnings of twelve months are known"),
        ("P/B", "price_to_book", "price_to_book_weight_covered", "book values", "book value is known"),
        ("dividend yield", "dividend_yield_ttm", "dividend_weight_covered", "dividends", "member has a year of prices"),
    ):
        value, share = found.first[figure], found.first[covered] or 0
        if value is None:
            notes.append(f"No {name}: " + (f"the {of} together are not above zero." if share else f"no {known}."))
        elif share < _WHOLE:
            partly.append(name)
    if partly:
        notes.append(f"{', '.join(partly)}: of the covered weight alone.")
    return notes


def value_gained(published: Published, basket: Row, without: str) -> Section:
    """The year's change of market value in its four parts.

    Args:
        without: why there is none.
    """
    rows = published.rows(
        "from marts.fct_basket_market_value_daily where basket_id = $basket_id and date = $as_of",
        basket_id=basket["basket_id"],
        as_of=basket["as_of"],
    )
    if rows and rows[0]["change_ytd_usd"] is not None:
        # Issues and buybacks are never exactly nothing: no share count of this year is known.
        known = {} if rows[0]["issuance_effect_usd"] else {"issuance_effect_usd": None}
        return Section([{**rows[0], **known}])
    return Section([], without)
