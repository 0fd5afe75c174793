"""The commands that messages print: whole, so that they fit the data folder and its source as they stand."""

from __future__ import annotations

import shlex
from datetime import UTC
from pathlib import Path

from include.errors import TitansError
from include.production import read_production
from include.settings import PROJECT_ROOT, Settings, end_of_day


def make_run(settings: Settings, **words: str) -> str:
    """``make run`` on the source of ``settings``: it names what the data folder does not remember.

    Args:
        words: more settings, as make takes them.
    """
    return make_command(settings.data_dir, "run", **_source_words(settings), **words)


def make_build(settings: Settings) -> str:
    """``make build`` on the source of ``settings``, as ``make_run``."""
    return make_command(settings.data_dir, "build", **_source_words(settings))


def make_command(data_dir: Path, command: str, **words: str) -> str:
    """A command with its words, and with the data folder where it is not the usual one."""
    folder = {} if data_dir == PROJECT_ROOT / "data" else {"DATA": str(data_dir)}
    return " ".join(["make", command, *(f"{name}={shlex.quote(text)}" for name, text in {**words, **folder}.items())])


def _source_words(settings: Settings) -> dict[str, str]:
    words = {}
    try:
        production = read_production(settings.published.production)
        is_known = (production.source if production else "sample") == settings.source
    except TitansError:
        production, is_known = None, False
    if not is_known:
        words["SOURCE"] = str(settings.source)
    if settings.source == "files":
        remembered = production.files_dir if is_known and production else None
        if remembered is None or settings.files_dir not in (None, remembered):
            words["FILES"] = str(settings.files_dir or "DIR")
        if settings.exported_at:
            moment = settings.exported_at.astimezone(UTC)
            is_day = moment == end_of_day(moment.date())
            words["EXPORTED_AT"] = str(moment.date()) if is_day else moment.isoformat()
    return words
