"""``make run``: ingest, build, publish and the summary of the day."""

from __future__ import annotations

import os

from include.commands import make_command
from include.errors import TitansError
from include.settings import Settings, load_settings
from titans.output import console
from titans.pipeline import run_pipeline
from titans.summary import print_summary


def run() -> None:
    """Ingest, build, check and publish."""
    run_and_summarise()


def run_and_summarise(*, is_build_alone: bool = False) -> None:
    """The run, or its build alone, and the summary.

    Raises:
        TitansError: the words do not fit each other, nothing landed, or the build failed.
    """
    settings = load_settings()
    _refuse_unused_export(settings)
    if not is_build_alone:
        _refuse_lost_export(settings)
    result = run_pipeline(settings, is_build_alone=is_build_alone)
    assert result.build is not None, "a failed build raises"
    print_summary(console, settings, result.build, result.notes)


def _refuse_unused_export(settings: Settings) -> None:
    """An export that is named and not read: its owner would take another source's figures for its own.

    Raises:
        TitansError: FILES or EXPORTED_AT are given, and the source is another one that nobody named.
    """
    if settings.source == "files" or os.environ.get("TITANS_SOURCE"):
        return
    for name, variable in (("FILES", "TITANS_FILES_DIR"), ("EXPORTED_AT", "TITANS_EXPORTED_AT")):
        if value := os.environ.get(variable):
            raise TitansError(
                f"{name}={value} is for source files, and without SOURCE this data folder runs {settings.source}: "
                f"nothing was run. Give SOURCE=files {name}={value}, or leave {name} away."
            )


def _refuse_lost_export(settings: Settings) -> None:
    """The data folder remembers an export that is not here: it was read on another machine or in a container.

    Raises:
        TitansError: names the folder, and what to give instead.
    """
    folder = settings.files_dir
    if settings.source != "files" or settings.known_at or folder is None or os.environ.get("TITANS_FILES_DIR"):
        return
    if not folder.is_dir():
        raise TitansError(
            f"{settings.published.production} remembers {folder} as the folder of exports, and there is none here: it "
            "was read on another machine or in a container, or has moved. Nothing was run. Name the folder: "
            f"{make_command(settings.data_dir, 'run', FILES='DIR')}"
        )
