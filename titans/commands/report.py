"""``make report``: the pages of what is published."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

import duckdb

from include.commands import make_command
from include.errors import TitansError
from include.paths import REPORT_INDEX
from include.publishing import generations
from include.settings import Settings, load_shared_settings
from titans.output import console


def report() -> None:
    """Print the path of the report, and open it where there is a desktop."""
    page = report_page(load_shared_settings())
    console.print(str(page), markup=False, soft_wrap=True)
    if sys.stdout.isatty() and (sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
        webbrowser.open_new_tab(page.as_uri())


def report_page(settings: Settings) -> Path:
    """The index of the generation that people read. Pages that it lacks are made out of its file.

    Raises:
        TitansError: nothing is published, or an earlier version published what is.
    """
    published = settings.published
    generation = generations.linked_generation(published)
    if generation is None:
        raise TitansError(
            f"Nothing is published in {published.folder} yet: {make_command(settings.data_dir, 'run')} first."
        )
    if not published.report_of(generation).exists():
        with generations.link_lock(published, "make report"):
            if not published.report_of(generation).exists():
                _make(settings, generation)
    through_link = published.report / REPORT_INDEX
    page = published.report_of(generation) / REPORT_INDEX
    return through_link if through_link.exists() and through_link.samefile(page) else page


def _make(settings: Settings, generation: str) -> None:
    from jinja2 import UndefinedError

    from include.publishing.report.pages import make_report

    try:
        make_report(settings.published.file(generation), settings.limits)
    except (duckdb.Error, UndefinedError) as error:
        held = generations.hold(settings.published) is not None
        way_on = (
            f"{make_command(settings.data_dir, 'publish')} ends the rollback that holds it"
            if held
            else f"{make_command(settings.data_dir, 'run')} publishes a new one"
        )
        raise TitansError(
            f"No report can be made of generation {generation} ({str(error).splitlines()[0]}): an earlier version "
            f"published it, or its file is damaged. {way_on}."
        ) from error
