"""A Yahoo Finance on loopback: its JSON, its cookie and crumb, its faults. yfinance runs against it unchanged.

Whole pipeline: ``python -m tests.integration.yahoo_stand_in --port 8099`` serves generated data for every symbol of the seeds; then
``TITANS_YAHOO_BASE_URL=http://127.0.0.1:8099 make run SOURCE=yahoo``.
"""

from __future__ import annotations

import argparse
import json
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

from include.seeds.calendars import SessionCalendar, load_calendars
from include.seeds.read import load_reference
from include.seeds.rows import Security
from include.settings import PROJECT_ROOT

CRUMB = "stand.in/crumb"
COOKIE = "A3=stand-in"


class Fault(StrEnum):
    """What the stand-in can do instead of answering for a symbol."""

    RATE_LIMITED = "429"
    SERVER_ERROR = "503"
    HTML = "a page of HTML with status 200"
    SILENCE = "no answer at all"
    CUT = "an answer that breaks off in the middle"
    EMPTY = "a chart without a bar"
    NULL = "JSON with nothing in it"


@dataclass(frozen=True)
class Bar:
    day: date
    close: float | None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    volume: int | None = None


@dataclass
class Series:
    """One symbol's chart.

    Attributes:
        opens_at: local time of the stamp of a daily bar.
        live: a bar of a running session, which Yahoo appends whatever the end asked for.
        dividends: amount by ex-date; with a currency where Yahoo gives one.
        splits: numerator and denominator by ex-date.
        answers_as: the symbol of the metadata, where it is not the asked one.
        zone_told: the time zone of the metadata, where it is not the true one.
    """

    currency: str
    timezone: str
    bars: list[Bar]
    opens_at: time = time(9, 30)
    instrument_type: str = "EQUITY"
    live: Bar | None = None
    dividends: dict[date, tuple[float, str | None]] = field(default_factory=dict)
    splits: dict[date, tuple[int, int]] = field(default_factory=dict)
    answers_as: str | None = None
    zone_told: str | None = None

    def stamp(self, day: date) -> int:
        """Seconds since 1970 of the bar of ``day``."""
        return int(datetime.combine(day, self.opens_at, ZoneInfo(self.timezone)).timestamp())


class YahooStandIn:
    """The server, and what it holds. A context manager; it takes a free port of 127.0.0.1 unless given one.

    Attributes:
        series: charts by symbol; any other symbol gets Yahoo's 404.
        summaries: quoteSummary modules by symbol.
        share_history: historical share counts by symbol (fundamentals-timeseries).
        requests: (path, symbol) of every data request so far, in order.
        hits: (host, path) of every request, also for cookie, crumb and front page.
    """

    def __init__(self, port: int = 0) -> None:
        self.series: dict[str, Series] = {}
        self.summaries: dict[str, dict[str, Any]] = {}
        self.share_history: dict[str, list[tuple[date, float]]] = {}
        self.requests: list[tuple[str, str]] = []
        self.hits: list[tuple[str, str]] = []
        self._faults: dict[str, tuple[Fault, int | None, dict[str, str]]] = {}
        self._is_closing = threading.Event()
        stand_in = self

        class Handler(_Handler):
            yahoo = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def break_symbol(
        self, symbol: str, fault: Fault, times: int | None = None, headers: dict[str, str] | None = None
    ) -> None:
        """Answer ``symbol`` (``*``: every one; ``crumb``: the crumb) with ``fault``: always, or the next ``times`` requests only."""
        self._faults[symbol] = (fault, times, headers or {})

    def mend(self) -> None:
        """No more faults."""
        self._faults.clear()

    def requests_of(self, symbol: str) -> int:
        return Counter(asked for _, asked in self.requests)[symbol]

    def take_fault(self, symbol: str) -> tuple[Fault | None, dict[str, str]]:
        """The fault to answer with, and its headers."""
        name = symbol if symbol in self._faults else "*"
        fault, times, headers = self._faults.get(name, (None, None, {}))
        if fault and times is not None:
            if times <= 1:
                del self._faults[name]
            else:
                self._faults[name] = (fault, times - 1, headers)
        return fault, headers

    def keep_silent(self) -> None:
        """Let a client wait until it, or the test, gives up."""
        self._is_closing.wait(30)

    def serve_forever(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    yahoo: YahooStandIn

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the signature of the standard library
        """Quiet: a test reads ``requests`` instead."""

    def do_GET(self) -> None:  # the name that the standard library calls
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        _, host, path = address.path.split("/", 2)
        symbol = query.get("symbol") or query.get("symbols") or unquote(path.rsplit("/", 1)[-1])
        self.yahoo.hits.append((host, path))
        if host == "fc.yahoo.com":
            self._answer("", 404, "text/html", {"Set-Cookie": f"{COOKIE}; Path=/"})
        elif path == "v1/test/getcrumb":
            fault, headers = self.yahoo.take_fault("crumb")
            if fault is Fault.RATE_LIMITED:
                self._answer("Too Many Requests\r\n", 429, "text/html", headers)
                return
            has_cookie = COOKIE in self.headers.get("Cookie", "")
            self._answer(CRUMB if has_cookie else "Unauthorized", 200 if has_cookie else 401, "text/plain")
        elif "finance/" not in path:
            self._answer("<html><body>Nothing here</body></html>", 404, "text/html")
        else:
            self.yahoo.requests.append((path, symbol))
            self._answer_data(path, symbol, query)

    def _answer_data(self, path: str, symbol: str, query: dict[str, str]) -> None:
        fault, headers = self.yahoo.take_fault(symbol)
        if fault is Fault.RATE_LIMITED:
            self._answer("Too Many Requests\r\n", 429, "text/html", headers)
        elif fault is Fault.SERVER_ERROR:
            self._answer("<html><body>Service Unavailable</body></html>", 503, "text/html", headers)
        elif fault is Fault.SILENCE:
            self.yahoo.keep_silent()
        elif fault is Fault.CUT:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"chart"')
            self.close_connection = True
        elif fault is Fault.HTML:
            self._answer("<!DOCTYPE html><html><body>Yahoo</body></html>", 200, "text/html")
        elif fault is Fault.NULL:
            self._answer({"chart": {"result": None, "error": None}, "quoteSummary": {"result": None, "error": None}})
        elif path.startswith("v8/finance/chart/"):
            self._chart(symbol, query, is_empty=fault is Fault.EMPTY)
        elif query.get("crumb") != CRUMB or COOKIE not in self.headers.get("Cookie", ""):
            self._answer(_failed("finance", "Unauthorized", "Invalid Crumb"), 401)
        elif path.startswith("v10/finance/quoteSummary/"):
            self._quote_summary(symbol, query["modules"].split(","))
        elif path.startswith("v7/finance/quote"):
            quotes = [
                self.yahoo.summaries[name]["price"]
                for name in symbol.split(",")
                if "price" in self.yahoo.summaries.get(name, {})
            ]
            self._answer({"quoteResponse": {"result": quotes, "error": None}})
        elif path.startswith("ws/fundamentals-timeseries/"):
            self._share_counts(symbol)
        else:
            self._answer(_failed("finance", "Not Found", f"No such path: {path}"), 404)

    def _chart(self, symbol: str, query: dict[str, str], *, is_empty: bool) -> None:
        series = self.yahoo.series.get(symbol)
        if series is None:
            self._answer(_failed("chart", "Not Found", "No data found, symbol may be delisted"), 404)
            return
        if "period1" in query:
            first, end = int(query["period1"]), int(query["period2"])
        else:
            first, end = series.stamp(series.bars[-1].day), series.stamp(series.bars[-1].day) + 1
        bars = [bar for bar in series.bars if first <= series.stamp(bar.day) < end] + (
            [series.live] if series.live else []
        )
        events = {
            "dividends": {
                str(series.stamp(day)): {"amount": amount, "date": series.stamp(day)}
                | ({"currency": currency} if currency else {})
                for day, (amount, currency) in series.dividends.items()
                if first <= series.stamp(day) < end
            },
            "splits": {
                str(series.stamp(day)): {
                    "date": series.stamp(day),
                    "numerator": up,
                    "denominator": down,
                    "splitRatio": f"{up}:{down}",
                }
                for day, (up, down) in series.splits.items()
                if first <= series.stamp(day) < end
            },
        }
        zone = datetime.combine(series.bars[-1].day, series.opens_at, ZoneInfo(series.timezone))
        offset = int((zone.utcoffset() or timedelta()).total_seconds())
        result: dict[str, Any] = {
            "meta": {
                "currency": series.currency,
                "symbol": series.answers_as or symbol,
                "instrumentType": series.instrument_type,
                "firstTradeDate": series.stamp(series.bars[0].day),
                "regularMarketTime": series.stamp(bars[-1].day if bars else series.bars[-1].day),
                "gmtoffset": offset,
                "timezone": zone.tzname(),
                "exchangeTimezoneName": series.zone_told or series.timezone,
                "priceHint": 2,
                "dataGranularity": query.get("interval", "1d"),
                "range": query.get("range", ""),
                "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
            }
        }
        if bars and not is_empty:
            result["timestamp"] = [series.stamp(bar.day) for bar in bars]
            quote = {name: [getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close", "volume")}
            result["indicators"] = {
                "quote": [quote],
                "adjclose": [{"adjclose": [bar.close and bar.close * 0.97 for bar in bars]}],
            }
            result["events"] = {name: found for name, found in events.items() if found}
        else:
            result["indicators"] = {"quote": [{}], "adjclose": [{}]}
        self._answer({"chart": {"result": [result], "error": None}})

    def _quote_summary(self, symbol: str, modules: list[str]) -> None:
        summary = self.yahoo.summaries.get(symbol)
        if summary is None:
            self._answer(_failed("quoteSummary", "Not Found", f"Quote not found for symbol: {symbol}"), 404)
            return
        found = {name: summary[name] for name in modules if name in summary}
        if not found:
            said = f"No fundamentals data found for any of the summaryTypes={','.join(modules)}"
            self._answer(_failed("quoteSummary", "Not Found", said), 404)
            return
        self._answer({"quoteSummary": {"result": [found], "error": None}})

    def _share_counts(self, symbol: str) -> None:
        counts = self.yahoo.share_history.get(symbol, [])
        result: dict[str, Any] = {"meta": {"symbol": [symbol], "type": ["shares_out"]}}
        if counts:
            result["timestamp"] = [int(datetime.combine(day, time(), UTC).timestamp()) for day, _ in counts]
            result["shares_out"] = [count for _, count in counts]
        self._answer({"timeseries": {"result": [result], "error": None}})

    def _answer(
        self, body: object, status: int = 200, kind: str = "application/json", headers: dict[str, str] | None = None
    ) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response_only(status)
        own = {"Date": self.date_time_string(), "Content-Type": kind, "Content-Length": str(len(content))}
        for name, value in {**own, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _failed(envelope: str, code: str, description: str) -> dict[str, Any]:
    return {envelope: {"result": None, "error": {"code": code, "description": description}}}


def trend(period: str, end: str | None, mean: float | None, currency: str, analysts: int = 20) -> dict[str, Any]:
    """One entry of the module earningsTrend, with the spread of estimates at a tenth of the mean to either side."""
    spread = (
        {}
        if mean is None
        else {"low": round(mean * 0.9, 4), "high": round(mean * 1.1, 4), "numberOfAnalysts": analysts}
    )
    return {"period": period, "endDate": end, "earningsEstimate": {"avg": mean, "earningsCurrency": currency, **spread}}


def company(
    symbol: str,
    price: float,
    shares: float,
    currency: str,
    trends: list[dict[str, Any]],
    one_class: float | None = None,
    eps: float = 5.0,
    book_value: float = 20.0,
    last_quarter: date = date(2024, 12, 31),
) -> dict[str, Any]:
    """The modules of a company whose figures agree with each other."""
    return {
        "price": {"symbol": symbol, "regularMarketPrice": price, "marketCap": price * shares, "currency": currency},
        "defaultKeyStatistics": {
            "impliedSharesOutstanding": shares,
            "sharesOutstanding": one_class or shares,
            "mostRecentQuarter": int(datetime.combine(last_quarter, time(), UTC).timestamp()),
            "trailingEps": eps,
            "bookValue": book_value,
        },
        "financialData": {"financialCurrency": currency},
        "summaryDetail": {"trailingPE": price / eps} if eps > 0 else {},
        "earningsTrend": {"trend": trends},
    }


def generate(yahoo: YahooStandIn, now: datetime, years: int) -> None:
    """Fill ``yahoo`` with made-up data up to ``now`` for every symbol of the seeds, alike in every run of the same day."""
    reference = load_reference(PROJECT_ROOT / "dbt_project" / "seeds")
    calendars = load_calendars(reference, last_year=now.year)
    for security in reference.securities:
        yahoo.series[security.symbol] = _generated_series(security, calendars[security.exchange], now, years)
        if security.kind == "equity":
            price = yahoo.series[security.symbol].bars[-1].close or 100.0
            year_end = date(now.year, 12, 31)
            ends = [day for day in _quarter_ends(now.year) + _quarter_ends(now.year + 1) if day >= now.date()]
            periods = {"0q": ends[0], "+1q": ends[1], "0y": year_end, "+1y": year_end.replace(year=now.year + 1)}
            multiples = {"0q": 80, "+1q": 76, "0y": 20, "+1y": 18}
            trends = [
                trend(label, str(end), round(price / multiples[label], 4), security.currency)
                for label, end in periods.items()
            ]
            last_quarter = max(day for day in _quarter_ends(now.year - 1) + _quarter_ends(now.year) if day < now.date())
            yahoo.summaries[security.symbol] = company(
                security.symbol, price, 2.5e9, security.currency, trends, last_quarter=last_quarter
            )
    first = date(now.year - years, 1, 1)
    weekdays = [
        first + timedelta(days=n)
        for n in range((now.date() - first).days + 1)
        if (first + timedelta(days=n)).weekday() < 5
    ]
    for currency, level in {"HKD": 7.78, "CNY": 7.2, "EUR": 0.92, "GBP": 0.79, "JPY": 150.0}.items():
        walk = random.Random(currency)
        bars = [Bar(day, round(level * (1 + walk.gauss(0, 0.0015)), 4), volume=0) for day in weekdays]
        yahoo.series[f"{currency}=X"] = Series(
            currency, "Europe/London", bars, opens_at=time(0), instrument_type="CURRENCY"
        )
    yahoo.series["^IRX"] = bills(weekdays)


def bills(weekdays: list[date], discount: float = 4.2) -> Series:
    """The index of bills of 13 weeks: their discount, in per cent a year."""
    walk = random.Random("^IRX")
    bars = [Bar(day, round(discount + walk.gauss(0, 0.02), 3)) for day in weekdays]
    return Series("USD", "America/Chicago", bars, opens_at=time(7, 20), instrument_type="INDEX")


def _quarter_ends(year: int) -> list[date]:
    return [date(year, 3, 31), date(year, 6, 30), date(year, 9, 30), date(year, 12, 31)]


def _generated_series(security: Security, calendar: SessionCalendar, now: datetime, years: int) -> Series:
    walk = random.Random(security.symbol)
    level = 10_000.0 if security.kind == "index" else 100.0
    bars = []
    dividends: dict[date, tuple[float, str | None]] = {}
    for session in calendar.between(date(now.year - years, 1, 1), now.date()):
        if session.opens_at > now:
            break
        opened = level * (1 + walk.gauss(0, 0.004))
        level = max(1.0, level * (1 + walk.gauss(0.0004, 0.012)))
        ends = (opened, level)
        volume = round(walk.uniform(5e6, 2e7))
        high, low = max(ends) * (1 + walk.random() * 0.004), min(ends) * (1 - walk.random() * 0.004)
        bars.append(
            Bar(session.date, round(level, 2), round(opened, 2), round(high + 0.01, 2), round(low - 0.01, 2), volume)
        )
        if security.kind == "equity" and len(bars) % 250 == 100:
            dividends[session.date] = (round(level * 0.005, 4), None)
    kind = "INDEX" if security.kind == "index" else "EQUITY"
    return Series(security.currency, calendar.timezone, bars, instrument_type=kind, dividends=dividends)


def main() -> None:
    """Serve generated data until interrupted."""
    parser = argparse.ArgumentParser(
        description="A Yahoo Finance on loopback with generated data for every symbol of the seeds."
    )
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--years", type=int, default=5, help="full calendar years of history before this one")
    arguments = parser.parse_args()
    yahoo = YahooStandIn(arguments.port)
    generate(yahoo, datetime.now(UTC), arguments.years)
    print(f"Serving {len(yahoo.series)} symbols: TITANS_YAHOO_BASE_URL={yahoo.url}", flush=True)
    try:
        yahoo.serve_forever()
    except KeyboardInterrupt:
        print("Stopped.")


if __name__ == "__main__":
    main()
