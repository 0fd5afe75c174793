"""What Yahoo delivers, in the schemas of the sources."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa

from include.seeds.calendars import FIRST_DAY, SessionCalendar, load_calendars
from include.seeds.rows import Reference, Security
from include.sources.base import SCHEMAS, Coverage, CurrencyPair, Dataset, Extract, SymbolFailure, Window
from include.sources.yahoo.chart_answer import mapping, number
from include.sources.yahoo.client import Chart, NotFoundError, SymbolError, YahooBusyError, YahooClient

Row = dict[str, Any]
T = TypeVar("T")

_BUSY_SYMBOLS_IN_A_ROW = 3
_MARKET_VALUE_TOLERANCE = 0.02
_TOO_MANY = 1e6
"""No number of analysts."""
_SHARE_COUNTS = ("impliedSharesOutstanding", "sharesOutstanding")
"""Yahoo's counts of all classes together and of the listed one; of two that fit alike, the first."""
_BILLS, _BILLS_CURRENCY = "^IRX", "USD"
"""Yahoo's index of US Treasury bills of 13 weeks: their discount in per cent a year."""
_PERIOD_TYPES = {"0q": "quarter", "+1q": "quarter", "0y": "annual", "+1y": "annual"}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class _Actions:
    """What is paid and split on one session."""

    dividend: float | None = None
    dividend_currency: str | None = None
    split_ratio: float | None = None


_NO_ACTION = _Actions()


class YahooSource:
    """Yahoo Finance, one symbol after the other.

    A symbol that fails is a ``SymbolFailure``. After three symbols in a row that failed since Yahoo was busy, this
    source asks for no other.

    Args:
        reference: exchanges and calendar overrides.
        clock: the time of the fetch, in UTC.
    """

    name = "yahoo"
    is_incremental = True
    omitted: frozenset[str] = frozenset()
    copy_name: str | None = None

    def __init__(self, reference: Reference, client: YahooClient, clock: Callable[[], datetime] = _now) -> None:
        self._reference = reference
        self._client = client
        self._clock = clock
        self._busy_in_a_row = 0
        self._busy_reason = ""
        self._notes: list[str] = []
        self._zones = {exchange.exchange: ZoneInfo(exchange.timezone) for exchange in reference.exchanges}

    def coverage(self, symbols: Sequence[str] | None = None) -> Coverage | None:
        """None: a live vendor."""
        return None

    def prices(self, securities: Sequence[Security], window: Window) -> Extract:
        """Daily bars of finished sessions, on the split basis of the fetch day.

        A bar without a close is delivered with NULL, to be rejected with a reason. A day that is no session is
        delivered where Yahoo has a price for it.

        Raises:
            NetworkUnavailableError: Yahoo cannot be reached.
        """
        now = self._clock()
        return self._extract(
            Dataset.PRICES, {security.symbol: security for security in securities}, lambda s: self._bars(s, window, now)
        )

    def fx_rates(self, pairs: Sequence[CurrencyPair], window: Window) -> Extract:
        """Daily rates. Currencies trade around the clock: a day is finished once the next has begun in UTC.

        Raises:
            NetworkUnavailableError: Yahoo cannot be reached.
        """
        today = self._today()
        return self._extract(
            Dataset.FX_RATES, {pair.name: pair for pair in pairs}, lambda pair: self._rates(pair, window, today)
        )

    def shares(self, securities: Sequence[Security], window: Window) -> Extract:
        """Today's share count of each company, all classes together, checked against Yahoo's market value.

        Yahoo's historical counts (fundamentals-timeseries, ``get_shares_full``) are left out. Of many companies
        (Alphabet, BYD) they count the listed class alone, nothing in them says of which, and there is no market value
        of the day to check them with.

        Raises:
            NetworkUnavailableError: Yahoo cannot be reached.
        """
        return self._snapshots(Dataset.SHARES, "share counts", securities, window, self._share_count)

    def estimates(self, securities: Sequence[Security], window: Window) -> Extract:
        """Today's mean, low and high EPS estimates of this and the next quarter and year; no rows without analysts.

        Raises:
            NetworkUnavailableError: Yahoo cannot be reached.
        """
        return self._snapshots(Dataset.ESTIMATES, "estimates", securities, window, self._eps_estimates)

    def risk_free(self, currencies: Sequence[str], window: Window) -> Extract:
        """Daily discounts of US bills of 13 weeks. Yahoo has no rate of another currency.

        Raises:
            NetworkUnavailableError: Yahoo cannot be reached.
        """
        today = self._today()
        return self._extract(
            Dataset.RISK_FREE,
            {currency: currency for currency in currencies},
            lambda currency: self._bill_discounts(currency, window, today),
        )

    def offered(self, dataset: Dataset, units: Sequence[str]) -> list[str]:
        """All of them, and of risk-free rates US dollars."""
        return [unit for unit in units if dataset is not Dataset.RISK_FREE or unit == _BILLS_CURRENCY]

    @cached_property
    def _calendars(self) -> dict[str, SessionCalendar]:
        return load_calendars(self._reference, last_year=self._clock().year)

    def _today(self) -> date:
        return self._clock().astimezone(UTC).date()

    def _extract(self, dataset: Dataset, wanted: dict[str, T], fetch: Callable[[T], list[Row]]) -> Extract:
        tables = [SCHEMAS[dataset].empty_table()]
        failures: list[SymbolFailure] = []
        addresses: dict[str, str] = {}
        self._notes = []
        for symbol, item in wanted.items():
            if self._busy_in_a_row >= _BUSY_SYMBOLS_IN_A_ROW:
                reason = (
                    f"{symbol} was not asked for after {self._busy_in_a_row} failures in a row: {self._busy_reason}"
                )
                failures.append(SymbolFailure(symbol, reason))
                continue
            self._client.forget_addresses()
            try:
                self._client.check_reachable()
                tables.append(pa.Table.from_pylist(fetch(item), schema=SCHEMAS[dataset]))
                self._busy_in_a_row = 0
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                self._busy_in_a_row = 0
                reason = f"Yahoo answered {symbol} with values that cannot be read ({error!r})."
                failures.append(SymbolFailure(symbol, reason))
            except SymbolError as error:
                self._busy_in_a_row = self._busy_in_a_row + 1 if isinstance(error, YahooBusyError) else 0
                self._busy_reason = str(error)
                failures.append(SymbolFailure(symbol, str(error), error.is_retryable, error.not_before))
            addresses[symbol] = self._client.addresses
        return Extract(pa.concat_tables(tables), self._clock(), failures, addresses, notes=self._notes)

    def _chart(self, symbol: str, first: date, end: date) -> Chart:
        """The chart, with a note on what of it cannot be read."""
        chart = self._client.chart(symbol, first, end)
        if chart.unreadable:
            more = f" and {len(chart.unreadable) - 1:,} more" if len(chart.unreadable) > 1 else ""
            self._notes.append(
                f"Of {symbol} Yahoo sent {chart.unreadable[0]}{more} that cannot be read: it counts nowhere, all else of "
                "the symbol counts. Compare with another source; vendor_corrections.csv can give a dividend or split."
            )
        return chart

    def _bars(self, security: Security, window: Window, now: datetime) -> list[Row]:
        calendar = self._calendars[security.exchange]
        if min(window.end, now.date()) > calendar.known_until:
            raise SymbolError(calendar.end_of_knowledge, is_retryable=False)
        closed = calendar.last_closed(now)
        first = window.start or FIRST_DAY
        last = min(window.end, closed.date) if closed else FIRST_DAY
        sessions = {session.date for session in calendar.between(first, last)}
        if not sessions:
            return []
        # An event between the session before and the first one counts on the first one.
        before = calendar.last_on_or_before(first - timedelta(days=1))
        asked_from = before.date + timedelta(days=1) if before else first
        chart = self._chart(security.symbol, asked_from, window.end + timedelta(days=1))
        _check_symbol(security.symbol, chart.symbol)
        basis_date = now.astimezone(self._zones[security.exchange]).date()
        actions = _actions_by_session(chart, calendar)
        if window.start is None:  # of what was paid or split before the first price, nothing is left to adjust
            first = min((day for day, _ in chart.days), default=first)
        days = [(day, values) for day, values in chart.days if first <= day <= last]
        # A dividend or split on a session without a bar is delivered with a bar that has no close.
        missing = {day for day in actions if first <= day <= last} - {day for day, _ in days}
        rows = []
        for day, values in sorted([*days, *((day, {}) for day in missing)], key=lambda item: item[0]):
            close = number(values.get("Close"))
            if close is None and day not in sessions and day not in missing:
                continue  # Yahoo's filler for a holiday, not a bar without a close
            volume = number(values.get("Volume"))
            has_volume = security.kind != "index" and volume is not None and (close is not None or volume > 0)
            action = actions.get(day, _NO_ACTION)
            rows.append(
                {
                    "symbol": security.symbol,
                    "date": day,
                    "open": number(values.get("Open")),
                    "high": number(values.get("High")),
                    "low": number(values.get("Low")),
                    "close": close,
                    "volume": int(volume) if has_volume and volume is not None else None,
                    "dividend": action.dividend,
                    "dividend_currency": action.dividend_currency,
                    "split_ratio": action.split_ratio,
                    "currency": chart.currency,
                    "basis_date": basis_date,
                }
            )
        if not rows:
            raise SymbolError(
                f"Yahoo answered {security.symbol} without any price from {first} to {last}.", is_retryable=True
            )
        return rows

    def _rates(self, pair: CurrencyPair, window: Window, today: date) -> list[Row]:
        first = window.start or FIRST_DAY
        last = min(window.end, today - timedelta(days=1))
        if first > last:
            return []
        # Yahoo lists a currency against the dollar by its own code alone: HKD=X is the number of HKD for one USD.
        long_name = f"{pair.name}=X"
        symbol = f"{pair.quote}=X" if pair.base == "USD" else long_name
        chart = self._chart(symbol, first, window.end + timedelta(days=1))
        if chart.symbol != long_name:
            _check_symbol(symbol, chart.symbol)
        if chart.currency and chart.currency != pair.quote:
            raise SymbolError(
                f"Yahoo quotes {symbol} in {chart.currency}, not in {pair.quote}: the rate would be another pair's.",
                is_retryable=False,
            )
        return [
            {
                "base_currency": pair.base,
                "quote_currency": pair.quote,
                "date": day,
                "rate": number(values.get("Close")),
            }
            for day, values in chart.days
            if first <= day <= last
        ]

    def _bill_discounts(self, currency: str, window: Window, today: date) -> list[Row]:
        if currency != _BILLS_CURRENCY:
            raise SymbolError(f"Yahoo gives no risk-free rate of {currency}.", is_retryable=False)
        first = window.start or FIRST_DAY
        last = min(window.end, today - timedelta(days=1))
        if first > last:
            return []
        chart = self._chart(_BILLS, first, window.end + timedelta(days=1))
        _check_symbol(_BILLS, chart.symbol)
        return [
            {
                "currency": currency,
                "tenor": "13w",
                "date": day,
                "rate": rate / 100,
                "quote_basis": "discount",
                "note": f"Yahoo chart {_BILLS}, in per cent",
            }
            for day, values in chart.days
            # A day without a quote is a holiday of the bond market.
            if first <= day <= last and (rate := number(values.get("Close"))) is not None
        ]

    def _snapshots(
        self,
        dataset: Dataset,
        what: str,
        securities: Sequence[Security],
        window: Window,
        fetch: Callable[[Security, date], list[Row]],
    ) -> Extract:
        today = self._today()
        companies = {security.symbol: security for security in securities if security.kind != "index"}
        if window.end < today:
            reason = (
                f"Yahoo only gives today's {what}; it has no history, "
                f"so a backfill of {what} to {window.end} is refused."
            )
            failures = [SymbolFailure(symbol, reason, is_retryable=False) for symbol in companies]
            return Extract(SCHEMAS[dataset].empty_table(), self._clock(), failures)
        return self._extract(dataset, companies, lambda security: fetch(security, today))

    def _share_count(self, security: Security, today: date) -> list[Row]:
        """The total or the listed count, whichever is nearer to what Yahoo's market value was made with."""
        symbol = security.symbol
        summary = self._client.summary(symbol, "price", "defaultKeyStatistics")
        quote = mapping(summary.get("price"))
        statistics = mapping(summary.get("defaultKeyStatistics"))
        _check_symbol(symbol, quote.get("symbol"))
        counts = {name: count for name in _SHARE_COUNTS if (count := number(statistics.get(name)))}
        # Where Yahoo quotes in pence, its market value is in pounds.
        _, units_per_major = self._reference.major_unit(str(quote.get("currency")))
        price = (number(quote.get("regularMarketPrice")) or 0.0) / units_per_major
        market_value = number(quote.get("marketCap"))
        if not counts:
            raise SymbolError(f"Yahoo gives no share count of {symbol}.", is_retryable=False)
        if not price or not market_value:
            raise SymbolError(
                f"Yahoo gives no price or no market value of {symbol} to check its share count with.",
                is_retryable=False,
            )
        field = min(counts, key=lambda name: abs(counts[name] * price / market_value - 1))
        shares = counts[field]
        if abs(shares * price / market_value - 1) > _MARKET_VALUE_TOLERANCE:
            raise SymbolError(
                f"Yahoo's share count of {symbol} does not fit its market value: {shares:,.0f} shares at {price:,.2f} "
                f"are worth {shares * price:,.0f}, but the market value is {market_value:,.0f}. "
                "It may be the count of one share class.",
                is_retryable=False,
            )
        return [
            {
                "symbol": symbol,
                "as_of": today,
                "shares_outstanding": shares,
                "share_class": "implied total" if field == "impliedSharesOutstanding" else field,
                "note": f"Yahoo quoteSummary {field}",
                "basis_date": self._basis_date(security),
            }
        ]

    def _eps_estimates(self, security: Security, today: date) -> list[Row]:
        symbol = security.symbol
        try:
            summary = self._client.summary(symbol, "earningsTrend", "price")
        except NotFoundError as error:
            if "No fundamentals data found" in str(error):
                return []
            raise
        _check_symbol(symbol, mapping(summary.get("price")).get("symbol"))
        rows = []
        trends = mapping(summary.get("earningsTrend")).get("trend")
        for trend in map(mapping, trends if isinstance(trends, list) else []):
            label = _text(trend.get("period"))
            estimate = mapping(trend.get("earningsEstimate"))
            mean, analysts = number(estimate.get("avg")), number(estimate.get("numberOfAnalysts"))
            # Zero earnings of no analyst are Yahoo's filler for a period without an estimate.
            if label not in _PERIOD_TYPES or mean is None or (mean == 0 and not analysts):
                continue
            rows.append(
                {
                    "symbol": symbol,
                    "as_of": today,
                    "metric": "eps",
                    "period_type": _PERIOD_TYPES[label],
                    "period_end": _day(trend.get("endDate")),  # without one the raw store rejects the row
                    "period_label": label,
                    "mean": mean,
                    "low": number(estimate.get("low")),
                    "high": number(estimate.get("high")),
                    "analyst_count": int(analysts) if analysts is not None and abs(analysts) < _TOO_MANY else None,
                    "currency": _text(estimate.get("earningsCurrency")),
                    "note": "Yahoo quoteSummary earningsTrend",
                    "basis_date": self._basis_date(security),
                }
            )
        return rows

    def _basis_date(self, security: Security) -> date:
        return self._clock().astimezone(self._zones[security.exchange]).date()


def _actions_by_session(chart: Chart, calendar: SessionCalendar) -> dict[date, _Actions]:
    """Dividends and splits of each session: those whose ex-date it is, and those of the days without one before it.

    Dividends of one session add up and splits multiply, unless one is below zero: it stands for all, and raw rejects it. A
    dividend in another currency than its session's stays on its own day: the raw store keeps it, and the marts count it on
    the next session.
    """
    found: dict[date, _Actions] = {}
    sessions = set(calendar.dates)
    for event in sorted(chart.events, key=lambda event: (event.day not in sessions, event.day)):
        session = calendar.first_on_or_after(event.day)
        if session is None:
            continue
        day, sofar = session.date, found.get(session.date, _NO_ACTION)
        if event.action == "split":
            found[day] = replace(sofar, split_ratio=_together(sofar.split_ratio, event.value, operator.mul))
        elif sofar.dividend is None or sofar.dividend_currency == event.currency:
            found[day] = replace(
                sofar,
                dividend=_together(sofar.dividend, event.value, operator.add),
                dividend_currency=event.currency,
            )
        else:
            found[event.day] = _Actions(event.value, event.currency)
    return found


def _together(sofar: float | None, value: float, operation: Callable[[float, float], float]) -> float:
    if sofar is None:
        return value
    return min(sofar, value) if min(sofar, value) < 0 else operation(sofar, value)


def _check_symbol(asked: str, answered: object) -> None:
    if str(answered).upper() != asked.upper():
        raise SymbolError(
            f"Yahoo answered with another symbol's series: {asked} was asked for, {answered} came.", is_retryable=True
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _day(value: object) -> date | None:
    if isinstance(value, dict):
        value = value.get("fmt")
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None
