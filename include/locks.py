"""One at a time: a file lock that says who holds it and since when."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
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
        holder: who asks, shown to whoever comes second.
        refusal: what the second is told; ``{who}`` becomes the holder with its process and since when.
        patience_seconds: how long to wait before giving up.
        runbook: the page for whoever is refused.

    Raises:
        HeldError: another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience_seconds
    with path.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise HeldError(refusal.format(who=_holder_of(path)), runbook) from None
                time.sleep(_POLL_SECONDS)
        file.seek(0)
        file.truncate()
        json.dump(
            {"holder": holder, "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}, file
        )
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()
            file.flush()


def _holder_of(path: Path) -> str:
    try:
        held = json.loads(path.read_text())
        return f"{held['holder']} (process {held['pid']}) has held it since {held['since']}"
    except (OSError, ValueError, KeyError):
        return "another process holds it"
