"""yfinance behind three calls: one request at a time, bounded waits, and errors as sentences."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yfinance
from curl_cffi.requests import Response
from curl_cffi.requests.exceptions import HTTPError, IncompleteRead, RequestException, Timeout
from yfinance.data import YfData
from yfinance.exceptions import YFDataException, YFException, YFPricesMissingError, YFRateLimitError, YFTzMissingError

from include.errors import NetworkUnavailableError
from include.sources.yahoo.chart_answer import Event
from include.sources.yahoo.host_guard import TOO_MANY_REQUESTS, HostClosedError, HostGuard
from include.sources.yahoo.session import SUMMARY_PATH, TIMEOUT_SECONDS, YahooSession

# yfinance switches its own deprecation warnings on: several lines a symbol about pandas, of no use to who runs Titans.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"^yfinance")

_HOST = "query2.finance.yahoo.com"
_HOME = f"https://{_HOST}"
_PROBE_SECONDS = 8.0

T = TypeVar("T")


class SymbolError(Exception):
    """Yahoo does not serve one symbol; the message is a sentence. ``not_before``: until when it is not asked again."""

    def __init__(self, reason: str, *, is_retryable: bool, not_before: datetime | None = None) -> None:
        super().__init__(reason)
        self.is_retryable = is_retryable
        self.not_before = not_before


class NotFoundError(SymbolError):
    """Yahoo knows no such symbol, or holds nothing of the kind asked for."""


class YahooBusyError(SymbolError):
    """Yahoo itself is in trouble (server error, no answer, nonsense): the next symbol would most likely meet it too."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, is_retryable=True)


@dataclass(frozen=True)
class Chart:
    """One daily series.

    Attributes:
        symbol: the symbol that Yahoo says it answered for.
        currency: of the prices; may be Yahoo's minor unit, such as GBp.
        days: day in the exchange's zone, and its values by yfinance's column names. A missing value is NaN. Of a day
            that has two bars with different prices, both are here.
        events: dividends and splits by ex-date.
        unreadable: bars and events that were left out, in words.
    """

    symbol: str | None
    currency: str | None
    days: list[tuple[date, dict[str, Any]]]
    events: list[Event]
    unreadable: list[str]


@cache
def _session(base_url: str | None) -> YahooSession:
    # yfinance keeps one cookie and one crumb a process: they are worth nothing with another session than theirs.
    return YahooSession(base_url)


class YahooClient:
    """yfinance with one session, typed errors and its cache in ``cache_dir``. Only the session waits and repeats.

    Args:
        base_url: where to connect to instead of ``*.yahoo.com``.
        cache_dir: for yfinance's time zones and cookie, which it would else keep in the home folder.
        guard: the budget and breaker of Yahoo's hosts.
    """

    def __init__(self, base_url: str | None, cache_dir: Path, guard: HostGuard) -> None:
        self._base_url = base_url
        self._guard = guard
        self._session = _session(base_url)
        self._session.guard = guard
        self._is_reached = False
        cache_dir.mkdir(parents=True, exist_ok=True)
        yfinance.set_tz_cache_location(str(cache_dir))
        yfinance.config.debug.hide_exceptions = False

    def check_reachable(self) -> None:
        """Ask once whether anything answers, before the first symbol.

        Raises:
            NetworkUnavailableError: nothing does, which is known within seconds.
            SymbolError: Yahoo is left alone for now.
        """
        try:
            self._guard.check(_HOST)
            if self._is_reached or self._guard.is_on_trial(
                _HOST
            ):  # on trial, the one request that is let through should be for data
                return
            self._session.get(f"{_HOME}/", timeout=_PROBE_SECONDS)
        except HostClosedError as error:
            raise _closed(error) from error
        except RequestException as error:
            where = f" at {self._base_url} (TITANS_YAHOO_BASE_URL)" if self._base_url else ""
            raise NetworkUnavailableError(
                f"Yahoo Finance cannot be reached{where}: there seems to be no network ({_first_sentence(error)}). "
                "Check the connection and run again: what has landed is not fetched again, and what is published stays."
            ) from error
        self._is_reached = True

    def forget_addresses(self) -> None:
        """Begin a new list of ``addresses``."""
        self._session.asked.clear()

    @property
    def addresses(self) -> str:
        """Host and path of the requests for data since then, each once."""
        return ", ".join(dict.fromkeys(self._session.asked))

    def chart(self, symbol: str, first: date, end: date) -> Chart:
        """Daily bars with dividends and splits from ``first`` up to, not including, ``end``.

        Prices and dividends are adjusted for splits, prices not for dividends.

        Raises:
            SymbolError: of one of its kinds.
        """

        def ask() -> Chart:
            ticker = yfinance.Ticker(symbol, session=self._session)
            # Without keepna yfinance silently drops a bar of which every cell is null.
            frame = ticker.history(
                start=first,
                end=end,
                interval="1d",
                auto_adjust=False,
                actions=False,
                keepna=True,
                timeout=TIMEOUT_SECONDS,
            )
            metadata = ticker.history_metadata
            beside = self._session.last_chart
            days = [
                (moment.date(), values | ({"Volume": None} if moment.date() in beside.without_volume else {}))
                for moment, values in zip(frame.index, frame.to_dict("records"), strict=True)
            ]
            return Chart(
                symbol=metadata.get("symbol"),
                currency=metadata.get("currency"),
                days=[*days, *beside.contradictory_bars],
                events=beside.events,
                unreadable=beside.unreadable,
            )

        return _in_sentences(symbol, ask)

    def summary(self, symbol: str, *modules: str) -> dict[str, Any]:
        """Modules of Yahoo's quoteSummary, as Yahoo sends them, fetched with yfinance's own cookie and crumb.

        Raises:
            SymbolError: of one of its kinds.
        """

        def ask() -> dict[str, Any]:
            parameters = {
                "modules": ",".join(modules),
                "corsDomain": "finance.yahoo.com",
                "formatted": "false",
                "symbol": symbol,
            }
            address = f"{_HOME}{SUMMARY_PATH}{symbol}"
            answer = YfData(session=self._session).get_raw_json(address, params=parameters, timeout=TIMEOUT_SECONDS)
            result = answer["quoteSummary"]["result"]
            return dict(result[0]) if result else {}

        return _in_sentences(symbol, ask)


def _in_sentences(symbol: str, ask: Callable[[], T]) -> T:
    # yfinance keeps answers for the life of the process, a 503 or a page of HTML too: no second attempt would be sent.
    YfData.cache_get.cache_clear()
    try:
        return ask()
    except SymbolError:
        raise
    except HostClosedError as error:
        raise _closed(error) from error
    except IncompleteRead as error:
        raise YahooBusyError(f"The connection to Yahoo was cut at {symbol} ({_first_sentence(error)}).") from error
    except YFRateLimitError as error:
        raise YahooBusyError(_too_many_requests(symbol)) from error
    except HTTPError as error:
        status = error.response.status_code
        if status == TOO_MANY_REQUESTS:
            raise YahooBusyError(_too_many_requests(symbol)) from error
        if status == 404:
            said = _yahoos_words(error.response)
            raise NotFoundError(
                f"Yahoo does not know {symbol}{said}: correct or remove it in securities.csv.", is_retryable=False
            ) from error
        if status >= 500:
            raise YahooBusyError(f"Yahoo answered {symbol} with the server error {status}.") from error
        said = _yahoos_words(error.response)
        raise SymbolError(
            f"Yahoo refused to answer for {symbol} with status {status}{said}.", is_retryable=True
        ) from error
    except Timeout as error:
        raise YahooBusyError(f"Yahoo did not answer for {symbol} within {TIMEOUT_SECONDS:.0f} seconds.") from error
    except RequestException as error:
        raise YahooBusyError(f"The connection to Yahoo failed at {symbol} ({_first_sentence(error)}).") from error
    except json.JSONDecodeError as error:
        raise YahooBusyError(f"Yahoo answered {symbol} with something else than JSON.") from error
    except YFDataException as error:
        raise YahooBusyError(f"Yahoo says that it is down, at {symbol}.") from error
    except YFPricesMissingError as error:
        if error.yahoo_reason:
            raise SymbolError(
                f"Yahoo has no prices of {symbol}: {error.yahoo_reason.rstrip('.')}.", is_retryable=False
            ) from error
        raise SymbolError(f"Yahoo answered {symbol} without any price.", is_retryable=True) from error
    except YFTzMissingError as error:
        raise SymbolError(
            f"Yahoo has no prices of {symbol}: it knows no time zone of it.", is_retryable=False
        ) from error
    except (YFException, LookupError, TypeError, AttributeError) as error:
        raise SymbolError(
            f"Yahoo answered {symbol} in a form that yfinance does not read ({error!r}).", is_retryable=True
        ) from error
    except Exception as error:  # a fault inside yfinance must cost this symbol only
        raise SymbolError(f"yfinance failed at {symbol} ({error!r}).", is_retryable=True) from error


def _closed(error: HostClosedError) -> SymbolError:
    return SymbolError(str(error), is_retryable=True, not_before=error.until)


def _too_many_requests(symbol: str) -> str:
    return f"Yahoo answered {symbol} with 429, too many requests: wait some minutes before the next run."


def _first_sentence(error: Exception) -> str:
    return str(error).removeprefix("Failed to perform, ").split(". See ")[0]


def _yahoos_words(response: Response) -> str:
    try:
        (envelope,) = response.json().values()
        return f' ("{envelope["error"]["description"]}")'
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
