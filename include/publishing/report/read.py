"""Everything that the report shows, read from a published file."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb

from include.publishing.report import holdings, performance, risk
from include.publishing.report.figures import BasketFigures, Report, Row, Section
from include.publishing.report.published import Published
from include.publishing.report.wording import day_in_words, no_day, plain

_SENTENCES = {
    "Performance": "return_ytd",
    "Valuation": "forward_pe",
    "Value gained": "market_value_change_ytd_usd",
}
_WITHOUT = {
    "return_ytd": "The basket begins on this day, so it has no return yet.",
    "forward_pe": "This day has no forward P/E.",
    "market_value_change_ytd_usd": "The basket has no market value at the end of the year before, so none is gained or lost.",
}
"""Why a day has no headline of a measure."""
_HISTORICAL = timedelta(days=7)
"""An edition that is published later than this after its day is one of the past, not late."""


def read_report(connection: duckdb.DuckDBPyConnection) -> Report:
    """Read everything that the pages show from a published file.

    Args:
        connection: the published file, as its only database.
    """
    published = Published(connection)
    late = published.rows(
        """select symbol, security_name, exchange, last_date, exchange_last_date, sessions_behind
        from ops.freshness where is_late order by symbol"""
    )
    baskets = published.rows(
        """select baskets.*, comparators.basket_name as comparator_name
        from marts.dim_baskets as baskets
        left join marts.dim_baskets as comparators on baskets.comparator_basket_id = comparators.basket_id
        order by baskets.basket_id"""
    )
    restated = published.rows(
        "select count(*) as restatements from ops.restatements where kind in ('restated', 'withdrawn')"
    )
    headlines = published.rows(
        """select sentence from marts.fct_headlines
        where as_of = $session and measure = 'highest_since' and value is not null order by headline_id"""
    )
    pages = [_basket(published, basket, late) for basket in baskets]
    at = published.publication["published_at"]
    return Report(
        publication={**published.publication, "is_historical": at.date() - published.session > _HISTORICAL},
        session=published.session,
        overview=[_overview(page) for page in pages],
        indices=performance.indices(published),
        headlines=[plain(row["sentence"]) for row in headlines],
        press=_press(published, None),
        late=late,
        restatements=restated[0]["restatements"],
        baskets=pages,
    )


def _basket(published: Published, basket: Row, late: list[Row]) -> BasketFigures:
    basket_id = basket["basket_id"]
    members = published.rows(
        """select members.symbol, securities.currency, securities.exchange_name, freshness.last_date,
            freshness.exchange_complete_until
        from marts.dim_basket_members as members
        inner join marts.dim_securities as securities on members.symbol = securities.symbol
        left join ops.freshness as freshness on members.symbol = freshness.symbol
        where members.basket_id = $basket_id
            and $session >= coalesce(members.valid_from, $session)
            and $session <= coalesce(members.valid_to, $session)
        order by members.symbol""",
        basket_id=basket_id,
    )
    markets = [
        # A market that is ahead of the others counts up to where all are complete, as the figures do.
        {"name": name, "last_date": max((min(day, published.session) for day in days if day is not None), default=None)}
        for name, days in _grouped(members).items()
    ]
    basket = {
        **basket,
        **_days(published, basket_id),
        **_index(published, basket_id),
        "currencies": sorted({member["currency"] for member in members}),
        "exchanges": sorted({member["exchange_name"] for member in members}),
        "member_count": len(members),
    }
    multiple = _headline(published, basket, "forward_pe")
    # A multiple of too few members is no figure of the basket: the headline says when that is so.
    without = None if multiple.get("value") is not None else _sentence(published, basket, "forward_pe")
    valuation = holdings.valuation(published, basket, without)
    value_gained = holdings.value_gained(published, basket, _sentence(published, basket, "market_value_change_ytd_usd"))
    return BasketFigures(
        basket=basket,
        markets=markets,
        caveats=_caveats(published, basket, [row for row in late if _holds(members, row)], valuation, value_gained),
        sentences=_sentences(published, basket),
        lines=performance.lines(published, basket),
        events=performance.events(published, basket),
        returns=performance.returns(published, basket),
        years=performance.years(published, basket),
        members=holdings.members(published, basket),
        exposures=holdings.exposures(published, basket),
        valuation=valuation,
        trailing_notes=holdings.trailing_notes(valuation),
        record=performance.record(published, basket),
        risk=risk.risk(published, basket),
        benchmarks=risk.benchmarks(published, basket),
        drawdowns=risk.drawdowns(published, basket),
        value_gained=value_gained,
        press=_press(published, basket_id),
    )


def _days(published: Published, basket_id: str) -> Row:
    """The basket's last day, and that of its risk: at a month's end or at its own last day, which may lie after the
    session."""
    return published.rows(
        """select
            (select max(date) from marts.fct_basket_daily where basket_id = $basket_id and date <= $session) as as_of,
            (select max(date) from marts.fct_basket_risk where basket_id = $basket_id and date <= $session) as risk_date""",
        basket_id=basket_id,
    )[0]


def _index(published: Published, basket_id: str) -> Row:
    """The index that the risk of the basket is measured against."""
    rows = published.rows(
        """select benchmark_id as index_symbol, benchmark_name as index_name from marts.fct_basket_risk
        where basket_id = $basket_id and benchmark_id in (select symbol from marts.fct_index_daily)
        order by benchmark_name limit 1""",
        basket_id=basket_id,
    )
    return rows[0] if rows else {"index_symbol": None, "index_name": None}


def _headline(published: Published, basket: Row, measure: str, other: str | None = None) -> Row:
    """The headline of the basket, or of it against another, on its last day; an empty row where it has none."""
    rows = published.rows(
        """select value, sentence from marts.fct_headlines
        where subject = $subject and measure = $measure and as_of between $as_of and $session
        order by as_of desc limit 1""",
        subject=basket["basket_id"] if other is None else f"{basket['basket_id']}_vs_{other}",
        measure=measure,
        as_of=basket["as_of"],
    )
    return rows[0] if rows else {}


def _sentence(published: Published, basket: Row, measure: str) -> str:
    headline = _headline(published, basket, measure)
    if headline:
        return plain(headline["sentence"])
    return _WITHOUT[measure] if basket["as_of"] else no_day(basket)


def _sentences(published: Published, basket: Row) -> dict[str, str]:
    """A sentence a kind; that on performance with the lead over the comparator."""
    found = {kind: _sentence(published, basket, measure) for kind, measure in _SENTENCES.items()}
    lead = _headline(published, basket, "excess_return_ytd", basket["comparator_basket_id"])
    if basket["comparator_basket_id"] and lead.get("value") is not None:
        found["Performance"] = f"{found['Performance']} {plain(lead['sentence'])}"
    return found


def _press(published: Published, basket_id: str | None) -> Section:
    """Claims on a basket, alone or against another, on their day; all claims without one.

    ``fits_before`` is true where a claim that differs agrees with the session before its day.
    """
    rows = published.rows(
        """select claims.*, claims.verdict = 'differs' and coalesce(earlier.verdict = 'agrees', false) as fits_before
        from marts.fct_press_reconciliation as claims
        left join marts.fct_press_reconciliation as earlier
            on claims.claim_id = earlier.claim_id and earlier.evaluated_at = 'session_before'
        where claims.evaluated_at = 'claim_date'
            and ($basket_id is null or list_contains(string_split(claims.subject, ' vs '), $basket_id))
        order by claims.claim_date, claims.claim_id""",
        basket_id=basket_id,
    )
    subject = "this basket" if basket_id else "what the store holds"
    return Section(rows, None if rows else f"The seed press_claims has no claim on {subject}.")


def _caveats(
    published: Published, basket: Row, late: list[Row], valuation: Section, value_gained: Section
) -> list[str]:
    """What a reader must know before the figures, a sentence each."""
    found = [
        f"The prices of {row['security_name']} end on {day_in_words(row['last_date'])}, {row['sessions_behind']} sessions before "
        "those of its exchange."
        for row in late
    ]
    if len(basket["currencies"]) > 1:
        found.append(
            f"Members trade in {', '.join(basket['currencies'])}: local currency returns leave exchange rates out."
        )
    if not basket["comparator_basket_id"]:
        found.append("The basket has no comparator: the seed baskets names none.")
    for row in published.rows(
        """select is_ytd_since_base, members, members_priced from marts.fct_basket_daily
        where basket_id = $basket_id and date = $as_of and currency_basis = 'local' and return_type = 'price'""",
        basket_id=basket["basket_id"],
        as_of=basket["as_of"],
    ):
        if row["is_ytd_since_base"]:
            found.append(f"This year's returns count from the base date, {day_in_words(basket['base_date'])}.")
        if row["members_priced"] < row["members"]:
            found.append(f"{row['members_priced']} of {row['members']} members have prices.")
    if valuation.missing is None and valuation.first["members_covered"] < valuation.first["members"]:
        found.append(f"Estimates cover {valuation.first['members_covered']} of {valuation.first['members']} members.")
    if value_gained.rows and value_gained.first["is_shares_backcast"]:
        found.append("Share counts are carried back to days before they are known, so market values are estimates.")
    return found


def _overview(page: BasketFigures) -> Row:
    """The row of a basket on the index."""
    row: Row = {**page.basket, "own": {}, "comparator": {}, "forward_pe": None, "gain": None}
    for returns in page.returns.rows:
        if returns.get("currency_basis") == "local" and returns["return_type"] == "price":
            row["own" if returns["basket_id"] == page.basket["basket_id"] else "comparator"] = returns
    if page.valuation.missing is None:
        row["forward_pe"] = page.valuation.first["forward_pe_basket_weighted"]
    if page.value_gained.rows:
        row["gain"] = page.value_gained.first["change_ytd_usd"]
    return row


def _holds(members: list[Row], late: Row) -> bool:
    return any(member["symbol"] == late["symbol"] for member in members)


def _grouped(members: list[Row]) -> dict[str, list[date | None]]:
    found: dict[str, list[date | None]] = {}
    for member in members:
        found.setdefault(member["exchange_name"], []).append(member["last_date"])
    return found
