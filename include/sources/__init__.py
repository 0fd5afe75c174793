"""Where market data come from: a live vendor, a folder of files, a simulation. Uses seeds."""

from include.seeds.rows import Reference
from include.settings import Settings
from include.sources.base import Source


def open_source(settings: Settings, reference: Reference, copy_name: str | None = None) -> Source:
    """The source that the settings name. Imports are local: each adapter has heavy dependencies of its own.

    Args:
        copy_name: of source ``files``, the copy of the export that the run planned with.
    """
    if settings.source == "yahoo":
        from include.sources.yahoo import open_yahoo

        return open_yahoo(settings.yahoo, reference)
    if settings.source == "files":
        from include.sources.files.source import FilesSource

        return FilesSource(
            settings.files_dir,
            settings.exported_at,
            reference,
            settings.store.exports,
            copy_name,
            settings.limits,
        )
    from include.sources.sample import SampleSource

    return SampleSource(reference)
