"""Writing files that survive a crash: whole or not at all, and on the disk before anything is built on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

READABLE = 0o644
"""Everybody reads it, its owner writes it."""
READ_ONLY = 0o444


@contextmanager
def replacing(path: Path, mode: int = READABLE) -> Iterator[Path]:
    """Yield a path beside ``path``: the file that the block writes there takes the place of ``path`` in one step.

    The file and its folder are synced, and the file has ``mode`` whatever the umask. If the block fails, nothing of it
    is left and ``path`` stays what it was. One process at a time writes a path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    _remove(temporary)  # a killed process left it
    try:
        yield temporary
        temporary.chmod(mode)
        _sync(temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):  # the folder may be read-only
            _remove(temporary)
        raise


def write_whole(path: Path, text: str, mode: int = READABLE) -> None:
    """Write a text so that a reader sees the old content or the new, never a part."""
    with replacing(path, mode) as temporary:
        # Opened with its mode: a secret is never readable, not even for a moment.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)


def files_in(folder: Path, ending: str) -> list[Path]:
    """The entries of a folder whose name has this ending, by name; none where there is no folder.

    Raises:
        OSError: it cannot be listed. ``Path.glob`` would find nothing in it.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(ending))
    except (FileNotFoundError, NotADirectoryError):
        if os.path.lexists(folder):  # a file, or a link that leads nowhere
            raise
        return []


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries, such as a rename, to the disk."""
    _sync(folder)


def _remove(temporary: Path) -> None:
    """Also the write-ahead log that DuckDB keeps beside a file."""
    for path in (temporary, temporary.with_name(f"{temporary.name}.wal")):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
