"""``make publish``: the end of a rollback."""

from __future__ import annotations

from include.publishing.rollback import release_hold
from include.settings import load_shared_settings
from titans.output import console


def publish() -> None:
    """Let builds move the link again, and move it to the newest generation."""
    console.print(f"The link names {release_hold(load_shared_settings().published)} now, and builds move it again.")
