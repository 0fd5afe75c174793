"""One at a time: a file lock that says who holds it and since when.

Not the ``filelock`` package: it truncates the file on every attempt and removes it on release, so the holder could not
write in it who it is.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from include.errors import Runbook, TitansError

_POLL_SECONDS = 0.2


class HeldError(TitansError):
    """Another process holds the lock."""


@contextmanager
def exclusive(
    path: Path, holder: str, refusal: str, patience_seconds: float = 0.0, runbook: Runbook | None = None
) -> Iterator[None]:
    """Hold the lock file ``path`` for the time of the block. The operating system releases it when a process dies.

    Args:
        holder: who asks; shown to the one who is refused.
        refusal: the sentence for the one who is refused; ``{who}`` is the holder, its process and since when.
        patience_seconds: how long to wait before giving up.
        runbook: the page for the one who is refused.

    Raises:
        HeldError: another process holds the lock.
        TitansError: the file system has no locks.
        OSError: the file cannot be opened for writing.
    """
    deadline = time.monotonic() + patience_seconds
    is_held = False
    while not is_held:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileIO(path, "a+") as file:
            while not _try(file, path):
                if time.monotonic() >= deadline:
                    raise HeldError(refusal.replace("{who}", _holder_of(path)), runbook)
                time.sleep(_POLL_SECONDS)
            # The holder may have removed it with its folder: whoever opens the path now has another file.
            is_held = _is_at(path, file)
            if is_held:
                since = datetime.now(UTC).isoformat(timespec="seconds")
                _note(file, json.dumps({"holder": holder, "pid": os.getpid(), "since": since}))
                try:
                    yield
                finally:
                    _note(file, "")


def _try(file: FileIO, path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise TitansError(
            f"{path} cannot be locked ({error.strerror}): without a lock two runs at a time would "
            "damage the data. Nothing was changed. Give a folder on a local disk: DATA=<folder>."
        ) from error
    return True


def _is_at(path: Path, file: FileIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _note(file: FileIO, text: str) -> None:
    """Where the disk is full the name is missing, and the lock holds: what frees room must go on."""
    with suppress(OSError):
        file.seek(0)
        file.truncate()
        file.write(text.encode())


def _holder_of(path: Path) -> str:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return f"{held['holder']} (process {held['pid']}) has held it since {held['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process holds it"
