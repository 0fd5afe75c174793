"""The HTTP session that yfinance talks through."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from curl_cffi import requests

TIMEOUT_SECONDS = 15.0


class YahooSession(requests.Session):  # type: ignore[misc]  # curl_cffi is not followed by mypy
    """A curl_cffi session as yfinance makes one, with a bound on every wait and, if asked, another destination.

    Args:
        base_url: where requests for ``*.yahoo.com`` go instead, as ``<base_url>/<Yahoo's host>/<path>``: a proxy or a stand-in.
    """

    def __init__(self, base_url: str | None) -> None:
        super().__init__(impersonate="chrome")
        self._base_url = base_url.rstrip("/") if base_url else None

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request.

        yfinance meets every status from 400 up by throwing its cookie away and asking again. Neither an unknown symbol nor a broken
        server has to do with cookies, so those are raised here, as curl_cffi's ``HTTPError``, at the first answer.
        """
        address = urlsplit(url)
        host = address.hostname or ""
        kwargs["timeout"] = min(kwargs.get("timeout") or TIMEOUT_SECONDS, TIMEOUT_SECONDS)
        if self._base_url and (host == "yahoo.com" or host.endswith(".yahoo.com")):
            url = f"{self._base_url}/{host}{address.path or '/'}" + (f"?{address.query}" if address.query else "")
        response = super().request(method, url, *args, **kwargs)
        if "/finance/" in address.path and (response.status_code == 404 or response.status_code >= 500):
            response.raise_for_status()
        return response
