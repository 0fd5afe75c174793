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
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

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
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience_seconds
    with path.open("a+") as file:
        while not _try(file, path):
            if time.monotonic() >= deadline:
                raise HeldError(refusal.replace("{who}", _holder_of(path)), runbook)
            time.sleep(_POLL_SECONDS)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        _note(file, json.dumps({"holder": holder, "pid": os.getpid(), "since": since}))
        try:
            yield
        finally:
            _note(file, "")


def _try(file: IO[str], path: Path) -> bool:
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


def _note(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()


def _holder_of(path: Path) -> str:
    try:
        held = json.loads(path.read_text())
        return f"{held['holder']} (process {held['pid']}) has held it since {held['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process holds it"
