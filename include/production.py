"""Which source a data folder serves: read by commands that name none, written by the step that publishes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel

from include.errors import TitansError
from include.files import write_whole
from include.sealed import DamagedError, read_sealed, seal

SourceName = Literal["sample", "files", "yahoo"]
SOURCE_NAMES: tuple[SourceName, ...] = get_args(SourceName)


class Production(BaseModel):
    """The production source of a data folder, in ``published/production.json``.

    Attributes:
        files_dir: the folder of its exports, where it is ``files``.
        switch: how it came to take the place of another source, if it did.
    """

    source: SourceName
    files_dir: Path | None = None
    since: datetime
    switch: Switch | None = None


class Switch(BaseModel):
    """What a rollback needs to undo ``SWITCH=yes``.

    Attributes:
        before: what the folder served.
        linked: the generation that the link named.
        generation: the one that it names since.
    """

    before: Production
    linked: str
    generation: str


Production.model_rebuild()


def read_production(path: Path) -> Production | None:
    """What the folder serves, or None where no real source has published yet.

    Raises:
        TitansError: the file is there and cannot be read. It is never taken for absent.
    """
    try:
        data_dir = path.parent.parent
        return _with_folders(read_sealed(Production, path), lambda folder: data_dir / folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except DamagedError as error:
        raise TitansError(
            f"{path}, which names the production source of this data folder, cannot be read "
            f"({str(error).splitlines()[0]}). Nothing was run, and what is published stays. Move the file away and "
            "name the source once, for example make run SOURCE=files FILES=DIR: the file is then written again."
        ) from error


def write_production(path: Path, production: Production) -> None:
    """Note what the folder serves. A folder of exports within the data folder is noted from there, so that the note
    holds wherever the data folder is moved or mounted."""
    data_dir = path.parent.parent
    write_whole(path, seal(_with_folders(production, lambda folder: _from_data_folder(data_dir, folder))))


def _with_folders(production: Production, change: Callable[[Path], Path]) -> Production:
    switch = production.switch
    if switch is not None:
        switch = switch.model_copy(update={"before": _with_folders(switch.before, change)})
    folder = production.files_dir
    return production.model_copy(update={"files_dir": change(folder) if folder else None, "switch": switch})


def _from_data_folder(data_dir: Path, folder: Path) -> Path:
    """Relative to the data folder where it lies in it, also if it is mounted elsewhere as well; else as it is."""
    if folder.is_relative_to(data_dir):
        return folder.relative_to(data_dir)
    if not folder.is_dir():
        return folder
    return next((Path(path.name) for path in data_dir.iterdir() if path.is_dir() and path.samefile(folder)), folder)
