"""The HTTP session that yfinance talks through: every request passes here, and only here is one repeated."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from curl_cffi import requests
from curl_cffi.requests.exceptions import HTTPError, IncompleteRead, RequestException
from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_attempt, wait_random_exponential

from include.sources.yahoo.chart_answer import ChartAnswer, separate
from include.sources.yahoo.host_guard import TOO_MANY_REQUESTS, HostGuard, retry_after_seconds

TIMEOUT_SECONDS = 15.0
_BACK_OFF_SECONDS = 3.0
"""The first wait is random up to this, each further one up to twice as much: full jitter keeps parallel tasks apart."""
_FRONT_PAGE = "/"
CHART_PATH, SUMMARY_PATH = "/v8/finance/chart/", "/v10/finance/quoteSummary/"

_LOG = logging.getLogger(__name__)


class YahooSession(requests.Session):  # type: ignore[misc]  # curl_cffi is not followed by mypy
    """A curl_cffi session as yfinance makes one, with bounded waits, retries and an optional other destination.

    Args:
        base_url: where requests for ``*.yahoo.com`` go instead, as ``<base_url>/<Yahoo's host>/<path>``.

    Attributes:
        guard: the budget and breaker that all processes share; set before the first request.
        asked: host and path of each request for data, without its query, which carries the crumb.
        last_chart: what the newest answer with prices says beside the bars that yfinance reads.
    """

    guard: HostGuard

    def __init__(self, base_url: str | None) -> None:
        super().__init__(impersonate="chrome")
        self._base_url = base_url.rstrip("/") if base_url else None
        self._crumb_trouble: OSError | None = None
        self.asked: list[str] = []
        self.last_chart = ChartAnswer()

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request; for data or the crumb again, after a wait, where the host is busy or the connection fails.

        On every status from 400 up, yfinance throws its cookie away and asks again. An unknown symbol and a busy or
        broken server have nothing to do with cookies: they are raised here, as curl_cffi's ``HTTPError``, so that its
        retries and ours never multiply.

        Raises:
            HTTPError: 404, 429 or a server error in the end.
            RequestException: no answer in the end.
            HostClosedError: the host is left alone for now.
        """
        address = urlsplit(url)
        host, path = address.hostname or "", _with_quoted_symbol(address.path or _FRONT_PAGE)
        url = address._replace(path=path).geturl()
        is_data, is_crumb = "/finance/" in path, path.endswith("/getcrumb")
        kwargs["timeout"] = min(kwargs.get("timeout") or TIMEOUT_SECONDS, TIMEOUT_SECONDS)
        if self._base_url and (host == "yahoo.com" or host.endswith(".yahoo.com")):
            url = f"{self._base_url}/{host}{path}" + (f"?{address.query}" if address.query else "")
        if is_data:
            self.asked.append(f"{host}{path}")

        def ask() -> requests.Response:
            self.guard.admit(host)
            response = super(YahooSession, self).request(method, url, *args, **kwargs)
            self._tell_guard(host, path, response)
            if response.status_code in (404, TOO_MANY_REQUESTS) or response.status_code >= 500:
                if is_data or (is_crumb and response.status_code != 404):
                    response.raise_for_status()
            elif is_data and response.status_code == 401 and self._crumb_trouble is not None:
                raise self._crumb_trouble
            return response

        limits = self.guard.limits
        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            # Cookies and consent have their own second ways in yfinance.
            stop=stop_after_attempt(limits.attempts if is_data or is_crumb else 1),
            wait=wait_random_exponential(multiplier=_BACK_OFF_SECONDS, max=limits.longest_wait_seconds),
            sleep=self.guard.sleep,
            before_sleep=before_sleep_log(_LOG, logging.INFO),
            reraise=True,
        )
        try:
            response = retrying(ask)
        except OSError as error:
            if is_crumb:
                # yfinance goes on without a crumb, which charts do not need. Requests that need it report this error.
                self._crumb_trouble = error
            raise
        if is_crumb:
            self._crumb_trouble = None
        if path.startswith(CHART_PATH):
            response.content, self.last_chart = separate(response.content)
        return response

    def _tell_guard(self, host: str, path: str, response: requests.Response) -> None:
        status, headers = response.status_code, response.headers
        if status == TOO_MANY_REQUESTS or status >= 500:
            self.guard.refused(
                host, status, retry_after_seconds(headers.get("Retry-After"), headers.get("Date"), self.guard.now())
            )
        elif path != _FRONT_PAGE:
            # The front page answers in a storm too: it says nothing about data.
            self.guard.answered(host)


def _with_quoted_symbol(path: str) -> str:
    """The path with the symbol at its end as one part: yfinance writes BRK/B as it stands."""
    for folder in (CHART_PATH, SUMMARY_PATH):
        if path.startswith(folder):
            return folder + quote(unquote(path.removeprefix(folder)), safe="^=")
    return path


def _may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, HTTPError) and not isinstance(error, IncompleteRead):
        status: int = error.response.status_code
        return status == TOO_MANY_REQUESTS or status >= 500
    return isinstance(error, RequestException) and not isinstance(error, ValueError)  # the latter: a malformed address
