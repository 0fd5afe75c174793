"""``make build``: build and publish from what is stored, and the summary of the day."""

from __future__ import annotations

from titans.commands.run import run_and_summarise


def build() -> None:
    """Build, check and publish from what is stored, without ingesting."""
    run_and_summarise(is_build_alone=True)
