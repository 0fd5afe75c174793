"""What a basket returned: levels, events, periods and calendar years."""

from __future__ import annotations

from include.publishing.report.figures import Line, Row, Section
from include.publishing.report.published import Published
from include.publishing.report.wording import day_in_words, no_day

CALENDAR_YEARS = 6


def lines(published: Published, basket: Row) -> list[Line]:
    """Levels of the basket, of its comparator and of the index of its market, 100 on their first common day."""
    rows = published.rows(
        """select date, level_rebased, comparator_level_rebased from marts.fct_basket_comparison_daily
        where basket_id = $basket_id and is_default_comparator and currency_basis = 'local'
            and return_type = 'price' and date <= $session
        order by date""",
        basket_id=basket["basket_id"],
    )
    if rows:
        found = [
            _line(basket["basket_name"], rows, "level_rebased"),
            _line(basket["comparator_name"], rows, "comparator_level_rebased"),
        ]
    else:
        rows = published.rows(
            """select date, level from marts.fct_basket_daily
            where basket_id = $basket_id and currency_basis = 'local' and return_type = 'price' and date <= $session
            order by date""",
            basket_id=basket["basket_id"],
        )
        found = [_line(basket["basket_name"], rows, "level")]
    if basket["index_symbol"] and found[0].days:
        rows = published.rows(
            """select date, 100 * level / first(level order by date) over () as level from marts.fct_index_daily
            where symbol = $symbol and level is not null and date <= $session and date >= (
                select max(date) from marts.fct_index_daily
                where symbol = $symbol and level is not null and date <= $first_day)
            order by date""",
            symbol=basket["index_symbol"],
            first_day=found[0].days[0],
        )
        found.append(_line(basket["index_name"], rows, "level"))
    return [line for line in found if len(line.days) > 1]


def events(published: Published, basket: Row) -> Section:
    """What the basket did within 1, 5, 20 and 60 of its sessions after each event."""
    rows = published.rows(
        """select event_id, event_name, event_date,
            max(cumulative_return) filter (where session_offset = 1) as return_1_session,
            max(cumulative_return) filter (where session_offset = 5) as return_5_sessions,
            max(cumulative_return) filter (where session_offset = 20) as return_20_sessions,
            max(cumulative_return) filter (where session_offset = 60) as return_60_sessions
        from marts.fct_event_windows
        where subject_id = $basket_id and subject_kind = 'basket' and date <= $session
        group by event_id, event_name, event_date order by event_date, event_id""",
        basket_id=basket["basket_id"],
    )
    return Section(rows, None if rows else "No market event of the seeds lies within the history of this basket.")


def returns(published: Published, basket: Row) -> Section:
    """The basket, its comparator, the difference and the index, in local currency without dividends; then its other
    returns, of which a basket in US dollars alone has those with dividends only."""
    rows = published.rows(
        """select *, case when currency_basis = 'usd' and return_type = 'total' then 'In US dollars, with dividends'
            when currency_basis = 'usd' then 'In US dollars'
            when return_type = 'total' then 'With dividends' else basket_name end as label
        from marts.fct_basket_daily where basket_id = $basket_id and date = $as_of
        order by currency_basis, return_type""",
        basket_id=basket["basket_id"],
        as_of=basket["as_of"],
    )
    if not rows:
        return Section([], no_day(basket))
    if basket["currencies"] == ["USD"]:
        rows = [row for row in rows if row["currency_basis"] == "local"]
    own, others = rows[0], rows[1:]
    comparator = published.rows(
        """select *, basket_name as label from marts.fct_basket_daily
        where basket_id = $comparator and currency_basis = 'local' and return_type = 'price' and date <= $session
        order by date desc limit 1""",
        comparator=basket["comparator_basket_id"],
    )
    # Two years to date that begin on different days are no comparison.
    if any(row["is_ytd_since_base"] for row in (own, *comparator)):
        comparator = [{**row, "return_ytd": None} for row in comparator]
    comparator = [{**row, "return_since_base_annualised": _comparator_since(published, basket)} for row in comparator]
    return Section(
        [own, *comparator, *_difference(published, basket, own, comparator), *_index(published, basket), *others]
    )


def _comparator_since(published: Published, basket: Row) -> float | None:
    """The comparator's annualised return since the base date of the basket; none where it begins later, or below a year."""
    rows = published.rows(
        """select power(arg_max(comparator_level_rebased, date) / 100, 365.25 / (max(date) - $base_date::date)) - 1 as since
        from marts.fct_basket_comparison_daily
        where basket_id = $basket_id and is_default_comparator and currency_basis = 'local' and return_type = 'price'
            and date <= $as_of
        having min(date) filter (where comparator_level_rebased is not null) <= $base_date::date
            and max(date) - $base_date::date >= 365""",
        basket_id=basket["basket_id"],
        base_date=basket["base_date"],
        as_of=basket["as_of"],
    )
    return rows[0]["since"] if rows else None


def _difference(published: Published, basket: Row, own: Row, comparator: list[Row]) -> list[Row]:
    """Returns beyond the comparator's, in the marts over common windows; of annualised ones the plain difference."""
    rows = published.rows(
        """select columns('excess_return_(.*)') as 'return_\\1' from marts.fct_basket_comparison_daily
        where basket_id = $basket_id and date = $as_of and is_default_comparator and currency_basis = 'local'
            and return_type = 'price'""",
        basket_id=basket["basket_id"],
        as_of=basket["as_of"],
    )
    annualised = {
        period: own[period] - other[period] if None not in (own[period], other[period]) else None
        for other in comparator
        for period in ("return_3y_annualised", "return_5y_annualised", "return_since_base_annualised")
    }
    return [
        {**row, **annualised, "label": "Difference, percentage points", "is_difference": True}
        for row in rows
        if comparator
    ]


def _index(published: Published, basket: Row) -> list[Row]:
    """The index of the basket's market, since the base date of the basket too."""
    if not basket["index_symbol"]:
        return []
    return published.rows(
        """select *, security_name || ', price index' as label, power(1 + return_3y, 1 / 3) - 1 as return_3y_annualised,
            power(1 + return_5y, 1 / 5) - 1 as return_5y_annualised,
            case when date - $base_date::date >= 365 then power(level / (
                select arg_max(level, date) from marts.fct_index_daily
                where symbol = $symbol and date <= $base_date
            ), 365.25 / (date - $base_date::date)) - 1 end as return_since_base_annualised
        from marts.fct_index_daily where symbol = $symbol and date <= $as_of order by date desc limit 1""",
        symbol=basket["index_symbol"],
        base_date=basket["base_date"],
        as_of=basket["as_of"],
    )


def years(published: Published, basket: Row) -> Section:
    """The last calendar years with ``label``, ``best_day`` and ``worst_day`` of each, up to the day of the basket."""
    rows = published.rows(
        """select * from (
            from marts.fct_basket_calendar_returns
            where basket_id = $basket_id and period_type = 'year' and currency_basis = 'local'
                and return_type = 'price' and period_start <= $as_of and counted_from < $as_of
            order by period_start desc limit $years)
        order by period_start""",
        basket_id=basket["basket_id"],
        as_of=basket["as_of"],
        years=CALENDAR_YEARS,
    )
    rows = [{**row, **_so_far(published, basket, row)} if row["counted_to"] > basket["as_of"] else row for row in rows]
    rows = [{**row, "label": _year(row, basket)} for row in rows]
    return Section(rows, None if rows else no_day(basket))


def _so_far(published: Published, basket: Row, year: Row) -> Row:
    """The figures of a year up to the day of the basket, where its own data go on and its comparator's may not."""
    (found,) = published.rows(
        """with levels as (
            select date, return_ytd, level / max(level) over (order by date) - 1 as fall,
                case when date > $counted_from then return_1d end as change
            from marts.fct_basket_daily
            where basket_id = $basket_id and currency_basis = 'local' and return_type = 'price'
                and level is not null and date between $counted_from and $as_of),
        compared as (
            select arg_max(comparator_level_rebased, date) / arg_min(comparator_level_rebased, date) - 1 as comparator_return
            from marts.fct_basket_comparison_daily
            where basket_id = $basket_id and is_default_comparator and currency_basis = 'local'
                and return_type = 'price' and date in ($counted_from, $as_of)
            having count(comparator_level_rebased) = 2),
        own as (
            select max(date) as counted_to, true as is_partial, arg_max(return_ytd, date) as period_return,
                min(fall) as max_drawdown, max(change) as best_day_return, min(change) as worst_day_return,
                arg_min(date, row(-change, date)) filter (change is not null) as best_day,
                arg_min(date, row(change, date)) filter (change is not null) as worst_day
            from levels)
        select *, period_return - comparator_return as excess_return from own left join compared on true""",
        basket_id=basket["basket_id"],
        counted_from=year["counted_from"],
        as_of=basket["as_of"],
    )
    return found


def _year(row: Row, basket: Row) -> str:
    """A year with the day that it counts from or to, where that is not its end."""
    year = row["period_start"].year
    if row["is_partial"] and year == basket["base_date"].year:
        return f"{year} from {basket['base_date']:%-d %b}"
    return f"{year} to {row['counted_to']:%-d %b}" if row["is_partial"] else str(year)


def record(published: Published, basket: Row) -> Row:
    """``drawdown`` of the basket on its day and ``record_date``; nothing where it has no day."""
    rows = published.rows(
        """select arg_max(drawdown, date) as drawdown, arg_max(date, level) as record_date, min(date) as first_day
        from marts.fct_basket_daily
        where basket_id = $basket_id and currency_basis = 'local' and return_type = 'price' and date <= $as_of
        having count(*) > 0""",
        basket_id=basket["basket_id"],
        as_of=basket["as_of"],
    )
    return rows[0] if rows else {}


def indices(published: Published) -> list[Row]:
    """Each index on its last day."""
    return published.rows(
        """from marts.fct_index_daily where date <= $session
        qualify row_number() over (partition by symbol order by date desc) = 1 order by security_name"""
    )


def best_and_worst(found: Section) -> str:
    """The best and the worst day of the years shown."""
    days = [row for row in found.rows if row["best_day"] and row["worst_day"]]
    if not days:
        return ""
    best = max(days, key=lambda row: row["best_day_return"])
    worst = min(days, key=lambda row: row["worst_day_return"])
    return (
        f"Best day of these years {best['best_day_return']:+.1%} ({day_in_words(best['best_day'])}), "
        f"worst {worst['worst_day_return']:+.1%} ({day_in_words(worst['worst_day'])})."
    )


def _line(name: str, rows: list[Row], column: str) -> Line:
    priced = [row for row in rows if row[column] is not None]
    return Line(name, [row["date"] for row in priced], [row[column] for row in priced])
