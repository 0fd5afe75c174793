"""Which source a data folder serves: read by commands that name none, written by the step that publishes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel

from include.errors import TitansError
from include.sealed import DamagedError, read_sealed

SourceName = Literal["sample", "files", "yahoo"]
SOURCE_NAMES: tuple[SourceName, ...] = get_args(SourceName)


class Served(BaseModel):
    """A source, with the folder of its exports where it is ``files``."""

    source: SourceName
    files_dir: Path | None = None
    since: datetime


class Switch(BaseModel):
    """What a rollback needs to undo ``SWITCH=yes``.

    Attributes:
        before: what the folder served.
        linked: the generation that the link named.
        generation: the one that it names since.
    """

    before: Served
    linked: str
    generation: str


class Production(Served):
    """The production source of a data folder, in ``published/production.json``."""

    switch: Switch | None = None


def read_production(path: Path) -> Production | None:
    """What the folder serves, or None where no real source has published yet.

    Raises:
        TitansError: the file is there and cannot be read. It is never taken for absent.
    """
    try:
        return read_sealed(Production, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except DamagedError as error:
        raise TitansError(
            f"{path}, which names the production source of this data folder, cannot be read "
            f"({str(error).splitlines()[0]}). Nothing was run, and what is published stays. Move the file away and "
            "name the source once, for example make run SOURCE=files FILES=DIR: the file is then written again."
        ) from error
