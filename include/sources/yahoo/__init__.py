"""The live vendor: Yahoo Finance, through the real yfinance client."""

from include.seeds.rows import Reference
from include.settings import YahooConfig
from include.sources.yahoo.client import YahooClient
from include.sources.yahoo.host_guard import HostGuard
from include.sources.yahoo.source import YahooSource

__all__ = ["YahooSource", "open_yahoo"]


def open_yahoo(config: YahooConfig, reference: Reference) -> YahooSource:
    """Yahoo with the cache and the request budget that all runs share."""
    guard = HostGuard(config.folder / "requests.sqlite", config.limits)
    return YahooSource(reference, YahooClient(config.base_url, config.folder / "cache", guard))
