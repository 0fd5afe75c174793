"""``make rollback``: an earlier generation back, and held."""

from __future__ import annotations

from typing import Annotated

import typer

from include.commands import make_command
from include.publishing.rollback import roll_back
from include.settings import load_shared_settings
from titans.output import console


def rollback(to: Annotated[str, typer.Argument(help="Generation; default, the one before.")] = "") -> None:
    """Move the link to an earlier generation and hold it there."""
    settings = load_shared_settings()
    before, after = roll_back(settings.published, to or None)
    console.print(
        f"The link names {after} now, and {before} no more. Builds go on and the link stays, until "
        f"{make_command(settings.data_dir, 'publish')}.",
        soft_wrap=True,
    )
