"""Published folders up to version 0.1: ``titans-<generation>.duckdb`` and ``.json`` beside the link that names one."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from include.paths import PublishedPaths

TIME = r"\d{8}T\d{6}\.\d{6}Z"
_FILE = re.compile(rf"titans-(?P<generation>{TIME}-[0-9a-z]+)\.duckdb")
_KEPT = timedelta(minutes=10)


def is_early(published: PublishedPaths) -> bool:
    """Whether the folder has this layout: its link names one of the files, or is lost and nothing newer is there."""
    if published.link.is_symlink():
        return _FILE.fullmatch(published.link.readlink().name) is not None
    return not published.current.is_symlink() and bool(_files(published))


def generations(published: PublishedPaths) -> list[str]:
    """The generations of a folder of this layout; none of one that was brought over."""
    return _files(published) if is_early(published) else []


def linked(published: PublishedPaths) -> str | None:
    """The generation that a link of this layout names, if its file is there."""
    match = _FILE.fullmatch(published.link.readlink().name) if published.link.is_symlink() else None
    return match["generation"] if match and file(published, match["generation"]).exists() else None


def file(published: PublishedPaths, generation: str) -> Path:
    return published.folder / f"titans-{generation}.duckdb"


def manifest(published: PublishedPaths, generation: str) -> Path:
    return published.folder / f"titans-{generation}.json"


def link_or_copy(source: Path, target: Path) -> None:
    """A second name of a file, or a copy of it where the file system or its owner allows none."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)


def remove_names(published: PublishedPaths, now: datetime) -> None:
    """Remove the old names of a folder that was brought over more than ten minutes ago: who had one has opened it.

    A file that has no second name stays: somebody has put it there since.
    """
    if is_early(published) or not published.link.is_symlink():
        return
    if now.timestamp() - published.link.lstat().st_mtime <= _KEPT.total_seconds():
        return
    for path in published.folder.iterdir():
        match = _FILE.fullmatch(path.with_suffix(".duckdb").name)
        if path.name.startswith(".titans-") or (match and (published.generations / match["generation"]).exists()):
            with suppress(OSError):  # a folder, or another user's
                path.unlink(missing_ok=True)


def _files(published: PublishedPaths) -> list[str]:
    if not published.folder.exists():
        return []
    return sorted(match["generation"] for path in published.folder.iterdir() if (match := _FILE.fullmatch(path.name)))
