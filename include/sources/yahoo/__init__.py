"""The live vendor: Yahoo Finance, through the real yfinance client."""

from include.sources.yahoo.source import YahooSource

__all__ = ["YahooSource"]
