"""What the report shows, read from a published file: rows of the marts, unrounded, and a sentence for what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

Row = dict[str, Any]
"""One row by its column names."""
CALENDAR_YEARS = 5
DRAWDOWNS = 5
_SENTENCES = {
    "Performance": "return_ytd",
    "Valuation": "forward_pe",
    "Value gained": "market_value_change_ytd_usd",
}
_WITHOUT = {
    "return_ytd": "The basket begins on this day, so it has no return yet.",
    "forward_pe": "No forward P/E is told of this day.",
    "market_value_change_ytd_usd": "The basket has no market value at the end of the year before, so none is gained or lost.",
}
"""Why a day has no headline of a measure."""


@dataclass(frozen=True)
class Section:
    """Rows of one section, and a sentence on what is missing and why: all of it where there are no rows."""

    rows: list[Row]
    missing: str | None = None

    @property
    def first(self) -> Row:
        return self.rows[0]


@dataclass(frozen=True)
class Line:
    """One line of the chart: levels by day, without gaps."""

    name: str
    days: list[date]
    levels: list[float]


@dataclass(frozen=True)
class BasketFigures:
    """The page of one basket.

    Attributes:
        basket: its row of ``dim_baskets``, with ``comparator_name``, ``as_of``, ``currencies`` and ``member_count``.
        sentences: kind of headline to its sentence, or to why there is none.
        lines: the basket and its comparator, both 100 on their first common day; the basket alone without one.
        returns: one row a kind of return, with ``label``.
    """

    basket: Row
    markets: list[Row]
    caveats: list[str]
    sentences: dict[str, str]
    lines: list[Line]
    events: Section
    returns: Section
    years: Section
    members: Section
    exposures: Section
    valuation: Section
    risk: Section
    benchmarks: Section
    drawdowns: Section
    value_gained: Section
    press: Section


@dataclass(frozen=True)
class Report:
    """All pages of a generation.

    Attributes:
        publication: the generation's row of ``ops.publications``.
        session: the day of the headlines: the last one up to which the data of all exchanges are complete.
        overview: one row a basket.
        headlines: sentences on indices and pairs.
        press: every claim on its day.
        late: symbols whose prices do not reach their exchange's last session.
    """

    publication: Row
    session: date
    overview: list[Row]
    headlines: list[str]
    press: Section
    late: list[Row]
    restatements: int
    baskets: list[BasketFigures]


def read_report(connection: duckdb.DuckDBPyConnection) -> Report:
    """Read everything that the pages show from a published file.

    Args:
        connection: the published file, as its only database.
    """
    return _Reader(connection).report()


class _Reader:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        # The file lists its own generation last: a new one is later than all that are there.
        self._publication = self._rows("from ops.publications order by generation desc limit 1")[0]
        self._session: date = self._publication["as_of"]
        self._late = self._rows(
            """select symbol, name, exchange, last_date, exchange_last_date, sessions_behind
            from ops.freshness where is_late order by symbol"""
        )

    def _rows(self, sql: str, **parameters: object) -> list[Row]:
        cursor = self._connection.execute(sql, parameters)
        columns = [column[0] for column in cursor.description or []]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def report(self) -> Report:
        baskets = self._rows(
            """select baskets.*, comparators.name as comparator_name
            from marts.dim_baskets as baskets
            left join marts.dim_baskets as comparators on baskets.comparator_basket_id = comparators.basket_id
            order by baskets.basket_id"""
        )
        pages = [self._basket(basket) for basket in baskets]
        names = {page.basket["basket_id"] for page in pages}
        headlines = self._rows(
            """select subject, sentence from marts.fct_headlines
            where as_of = $session and measure <> 'drawdown_state' order by headline_id""",
            session=self._session,
        )
        restated = self._rows(
            "select count(*) as restatements from ops.restatements where kind in ('restated', 'withdrawn')"
        )
        return Report(
            publication=self._publication,
            session=self._session,
            overview=[_overview(page) for page in pages],
            headlines=[_plain(row["sentence"]) for row in headlines if row["subject"] not in names],
            press=self._press(None),
            late=self._late,
            restatements=restated[0]["restatements"],
            baskets=pages,
        )

    def _basket(self, basket: Row) -> BasketFigures:
        basket_id = basket["basket_id"]
        members = self._rows(
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
            session=self._session,
        )
        as_of = self._rows(
            "select max(date) as as_of from marts.fct_basket_daily where basket_id = $basket_id and date <= $session",
            basket_id=basket_id,
            session=self._session,
        )[0]["as_of"]
        # Risk stands at month ends and at the basket's own last day, which may lie after the session.
        risk_date = self._rows(
            "select max(date) as risk_date from marts.fct_basket_risk where basket_id = $basket_id and date <= $session",
            basket_id=basket_id,
            session=self._session,
        )[0]["risk_date"]
        basket = {
            **basket,
            "as_of": as_of,
            "risk_date": risk_date,
            "currencies": sorted({member["currency"] for member in members}),
            "member_count": len(members),
        }
        markets = [
            # A market that is ahead of the others counts up to where all are complete, as the figures do.
            {"name": name, "last_date": max((min(day, self._session) for day in days if day is not None), default=None)}
            for name, days in _grouped(members).items()
        ]
        valuation, value_gained = self._valuation(basket), self._value_gained(basket)
        return BasketFigures(
            basket=basket,
            markets=markets,
            caveats=self._caveats(basket, members, valuation, value_gained),
            sentences={kind: self._sentence(basket, measure) for kind, measure in _SENTENCES.items()},
            lines=self._lines(basket),
            events=self._events(basket),
            returns=self._returns(basket),
            years=self._years(basket),
            members=self._members(basket),
            exposures=self._exposures(basket),
            valuation=valuation,
            risk=self._risk(basket),
            benchmarks=self._benchmarks(basket),
            drawdowns=self._drawdowns(basket),
            value_gained=value_gained,
            press=self._press(basket_id),
        )

    def _headline(self, basket: Row, measure: str) -> Row:
        """The headline of the basket on its last day; an empty row where it has none."""
        rows = self._rows(
            """select value, sentence from marts.fct_headlines
            where subject = $basket_id and measure = $measure and as_of between $as_of and $session
            order by as_of desc limit 1""",
            basket_id=basket["basket_id"],
            measure=measure,
            as_of=basket["as_of"],
            session=self._session,
        )
        return rows[0] if rows else {}

    def _sentence(self, basket: Row, measure: str) -> str:
        headline = self._headline(basket, measure)
        if headline:
            return _plain(headline["sentence"])
        return _WITHOUT[measure] if basket["as_of"] else _no_day(basket)

    def _lines(self, basket: Row) -> list[Line]:
        rows = self._rows(
            """select date, level_rebased, comparator_level_rebased from marts.fct_basket_comparison_daily
            where basket_id = $basket_id and is_default_comparator and currency_basis = 'local'
                and return_type = 'price' and date <= $session
            order by date""",
            basket_id=basket["basket_id"],
            session=self._session,
        )
        if rows:
            lines = [
                _line(basket["name"], rows, "level_rebased"),
                _line(basket["comparator_name"], rows, "comparator_level_rebased"),
            ]
        else:
            rows = self._rows(
                """select date, level from marts.fct_basket_daily
                where basket_id = $basket_id and currency_basis = 'local' and return_type = 'price'
                    and date <= $session
                order by date""",
                basket_id=basket["basket_id"],
                session=self._session,
            )
            lines = [_line(basket["name"], rows, "level")]
        return [line for line in lines if len(line.days) > 1]

    def _events(self, basket: Row) -> Section:
        """What the basket did within 1, 5, 20 and 60 of its sessions after each event."""
        rows = self._rows(
            """select event_id, event_name, event_date,
                max(cumulative_return) filter (where session_offset = 1) as return_1_session,
                max(cumulative_return) filter (where session_offset = 5) as return_5_sessions,
                max(cumulative_return) filter (where session_offset = 20) as return_20_sessions,
                max(cumulative_return) filter (where session_offset = 60) as return_60_sessions
            from marts.fct_event_windows
            where subject_id = $basket_id and subject_kind = 'basket' and date <= $session
            group by event_id, event_name, event_date order by event_date, event_id""",
            basket_id=basket["basket_id"],
            session=self._session,
        )
        return Section(rows, None if rows else "No market event of the seeds lies within the history of this basket.")

    def _returns(self, basket: Row) -> Section:
        """The basket, its comparator and the difference, all in local currency without dividends; then its other returns."""
        rows = self._rows(
            """select *, case when currency_basis = 'usd' and return_type = 'total' then 'In US dollars, with dividends'
                when currency_basis = 'usd' then 'In US dollars'
                when return_type = 'total' then 'With dividends' else name end as label
            from marts.fct_basket_daily where basket_id = $basket_id and date = $as_of
            order by currency_basis, return_type""",
            basket_id=basket["basket_id"],
            as_of=basket["as_of"],
        )
        if not rows:
            return Section([], _no_day(basket))
        comparator = self._rows(
            """select *, name as label from marts.fct_basket_daily
            where basket_id = $comparator and currency_basis = 'local' and return_type = 'price' and date <= $session
            order by date desc limit 1""",
            comparator=basket["comparator_basket_id"],
            session=self._session,
        )
        # Two years to date that begin on different days are no comparison.
        if any(row["is_ytd_since_base"] for row in (rows[0], *comparator)):
            comparator = [{**row, "return_ytd": None} for row in comparator]
        return Section([rows[0], *comparator, *self._excess(basket), *rows[1:]])

    def _excess(self, basket: Row) -> list[Row]:
        """Returns beyond the comparator's. Annualised returns have no such difference."""
        rows = self._rows(
            """select columns('excess_return_(.*)') as 'return_\\1' from marts.fct_basket_comparison_daily
            where basket_id = $basket_id and date = $as_of and is_default_comparator and currency_basis = 'local'
                and return_type = 'price'""",
            basket_id=basket["basket_id"],
            as_of=basket["as_of"],
        )
        return [{**row, "label": "Difference, percentage points", "is_difference": True} for row in rows]

    def _years(self, basket: Row) -> Section:
        rows = self._rows(
            """select * from (
                from marts.fct_basket_calendar_returns
                where basket_id = $basket_id and period_type = 'year' and currency_basis = 'local'
                    and return_type = 'price' and period_start <= $session
                order by period_start desc limit $years)
            order by period_start""",
            basket_id=basket["basket_id"],
            session=self._session,
            years=CALENDAR_YEARS,
        )
        return Section(rows, None if rows else _no_day(basket))

    def _members(self, basket: Row) -> Section:
        """Members of the day, the largest first, then those that left within the year."""
        rows = self._rows(
            """select members.symbol, members.security_name, members.weight_close, members.contribution_ytd,
                securities.return_ytd, valuations.forward_pe, valuations.is_loss_maker,
                members.weight_close = 0 as has_left
            from marts.fct_basket_member_daily as members
            asof left join (
                select symbol, date, return_ytd from marts.fct_security_daily
                where date between $as_of::date - 30 and $as_of and symbol in (select symbol from marts.dim_basket_members)
            ) as securities on members.symbol = securities.symbol and members.date >= securities.date
            asof left join (
                select symbol, date, forward_pe, is_loss_maker from marts.fct_security_valuation_daily
                where date between $as_of::date - 30 and $as_of and symbol in (select symbol from marts.dim_basket_members)
            ) as valuations on members.symbol = valuations.symbol and members.date >= valuations.date
            where members.basket_id = $basket_id and members.date = $as_of and members.currency_basis = 'local'
                and members.return_type = 'price'
                and (members.weight_close is distinct from 0 or members.contribution_ytd <> 0)
            order by members.weight_close desc nulls last, members.symbol""",
            basket_id=basket["basket_id"],
            as_of=basket["as_of"],
        )
        return Section(rows, None if rows else _no_day(basket))

    def _exposures(self, basket: Row) -> Section:
        rows = self._rows(
            """select kind, value, weight, date, turnover_12m from marts.fct_basket_exposures
            where basket_id = $basket_id and date <= $session
            qualify date = max(date) over ()
            order by case kind when 'sector' then 1 when 'country' then 2 else 3 end, weight desc, value""",
            basket_id=basket["basket_id"],
            session=self._session,
        )
        return Section(rows, None if rows else _no_day(basket))

    def _valuation(self, basket: Row) -> Section:
        rows = self._rows(
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
        # A multiple of too few members is no figure of the basket: the headline says when that is so.
        if rows and self._headline(basket, "forward_pe").get("value") is not None:
            return Section(rows)
        return Section([], self._sentence(basket, "forward_pe"))

    def _risk(self, basket: Row) -> Section:
        """Volatility and largest fall of each window that has enough returns."""
        rows = self._rows(
            """from marts.fct_basket_risk
            where basket_id = $basket_id and date = $risk_date and currency_basis = 'local' and return_type = 'price'
                and benchmark_id is null and volatility is not null
            order by list_position(['30d', '90d', '1y', '3y'], window_length)""",
            basket_id=basket["basket_id"],
            risk_date=basket["risk_date"],
        )
        return Section(rows, None if rows else "The history is too short for a volatility, even over 30 sessions.")

    def _benchmarks(self, basket: Row) -> Section:
        """The basket against indices and baskets, in local currency where the members share one, else in dollars."""
        rows = self._rows(
            """from marts.fct_basket_risk
            where basket_id = $basket_id and date = $risk_date and return_type = 'price' and beta is not null
            qualify currency_basis = min(currency_basis) over (partition by benchmark_id)
            order by benchmark_name, window_length desc""",
            basket_id=basket["basket_id"],
            risk_date=basket["risk_date"],
        )
        unmeasured = self._rows(
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

    def _drawdowns(self, basket: Row) -> Section:
        rows = self._rows(
            """from marts.fct_drawdown_episodes
            where subject_id = $basket_id and subject_kind = 'basket' and currency_basis = 'local'
                and return_type = 'price' and peak_date <= $session
            order by depth, peak_date limit $limit""",
            basket_id=basket["basket_id"],
            session=self._session,
            limit=DRAWDOWNS,
        )
        return Section(
            rows, None if rows else "The basket has not fallen by 5% from a record in the history of the data."
        )

    def _value_gained(self, basket: Row) -> Section:
        rows = self._rows(
            "from marts.fct_basket_market_value_daily where basket_id = $basket_id and date = $as_of",
            basket_id=basket["basket_id"],
            as_of=basket["as_of"],
        )
        if rows and rows[0]["change_ytd_usd"] is not None:
            return Section(rows)
        return Section([], self._sentence(basket, "market_value_change_ytd_usd"))

    def _press(self, basket_id: str | None) -> Section:
        """Claims on a basket, alone or against another, on their day; all claims without one."""
        rows = self._rows(
            """from marts.fct_press_reconciliation
            where evaluated_at = 'claim_date'
                and ($basket_id is null or list_contains(string_split(subject, ' vs '), $basket_id))
            order by claim_date, claim_id""",
            basket_id=basket_id,
        )
        subject = "this basket" if basket_id else "what the store holds"
        return Section(rows, None if rows else f"The seed press_claims has no claim on {subject}.")

    def _caveats(self, basket: Row, members: list[Row], valuation: Section, value_gained: Section) -> list[str]:
        """What a reader must know before the figures, a sentence each."""
        found = []
        own = {member["symbol"] for member in members}
        for late in (row for row in self._late if row["symbol"] in own):
            found.append(
                f"The prices of {late['name']} end on {_day(late['last_date'])}, {late['sessions_behind']} sessions before "
                "those of its exchange."
            )
        if len(basket["currencies"]) > 1:
            found.append(
                f"Members trade in {', '.join(basket['currencies'])}: local currency returns leave exchange rates out."
            )
        if not basket["comparator_basket_id"]:
            found.append("The seed names no comparator for this basket, so it is compared with none.")
        for row in self._rows(
            """select is_ytd_since_base, members, members_priced from marts.fct_basket_daily
            where basket_id = $basket_id and date = $as_of and currency_basis = 'local' and return_type = 'price'""",
            basket_id=basket["basket_id"],
            as_of=basket["as_of"],
        ):
            if row["is_ytd_since_base"]:
                found.append(f"This year's returns count from the base date, {_day(basket['base_date'])}.")
            if row["members_priced"] < row["members"]:
                found.append(f"{row['members_priced']} of {row['members']} members have prices.")
        if valuation.rows and valuation.first["members_covered"] < valuation.first["members"]:
            found.append(
                f"Estimates cover {valuation.first['members_covered']} of {valuation.first['members']} members."
            )
        if value_gained.rows and value_gained.first["is_shares_backcast"]:
            found.append("Share counts are carried back to days before they are known, so market values are estimates.")
        return found


def _overview(page: BasketFigures) -> Row:
    """The row of a basket on the index."""
    row: Row = {**page.basket, "return_ytd": None, "comparator_return_ytd": None, "forward_pe": None, "gain": None}
    for returns in page.returns.rows:
        if returns.get("currency_basis") == "local" and returns["return_type"] == "price":
            own = returns["basket_id"] == page.basket["basket_id"]
            row["return_ytd" if own else "comparator_return_ytd"] = returns["return_ytd"]
    if page.valuation.rows:
        row["forward_pe"] = page.valuation.first["forward_pe_aggregate"]
    if page.value_gained.rows:
        row["gain"] = page.value_gained.first["change_ytd_usd"]
    return row


def _line(name: str, rows: list[Row], column: str) -> Line:
    priced = [row for row in rows if row[column] is not None]
    return Line(name, [row["date"] for row in priced], [row[column] for row in priced])


def _grouped(members: list[Row]) -> dict[str, list[date | None]]:
    found: dict[str, list[date | None]] = {}
    for member in members:
        found.setdefault(member["exchange_name"], []).append(member["last_date"])
    return found


def _no_day(basket: Row) -> str:
    return (
        f"The marts have no day of this basket yet: its levels begin after its base date, {_day(basket['base_date'])}."
    )


def _day(day: date | None) -> str:
    return f"{day:%-d %B %Y}" if day else "an unknown day"


def _plain(sentence: str) -> str:
    """A headline without its label: the page says at its top that data are simulated."""
    return sentence.removeprefix("Simulated: ")
