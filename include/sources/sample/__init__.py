"""The source that needs nothing: a deterministic simulation through real anchor closes, labelled as simulated."""

from include.sources.sample.source import SampleSource

__all__ = ["SampleSource"]
