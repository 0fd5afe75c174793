"""Where market data come from: a live vendor, a folder of files, a simulation. Uses seeds."""

from include.settings import Settings
from include.sources.base import Source


def open_source(settings: Settings) -> Source:
    """The source that the settings name. Imports are local: each adapter has heavy dependencies of its own."""
    if settings.source == "yahoo":
        from include.sources.yahoo import YahooSource

        return YahooSource(settings)
    if settings.source == "files":
        from include.sources.files import FilesSource

        return FilesSource(settings)
    from include.sources.sample import SampleSource

    return SampleSource(settings)
