"""``make run``: ingest, build, publish and the summary of the day."""

from __future__ import annotations

from include.settings import load_settings
from titans.output import console
from titans.pipeline import run_pipeline
from titans.summary import print_summary


def run() -> None:
    """Ingest, build, check and publish."""
    settings = load_settings()
    result = run_pipeline(settings)
    assert result.build is not None, "a failed build raises"
    print_summary(console, settings, result.build, result.notes)
