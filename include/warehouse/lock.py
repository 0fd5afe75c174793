"""One build at a time: a file lock beside the warehouse, which says who holds it and since when."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from include.errors import TitansError

_POLL_SECONDS = 0.2


@contextmanager
def writer_lock(warehouse: Path, holder: str, patience_seconds: float = 0.0) -> Iterator[None]:
    """Hold the only right to open ``warehouse`` for the time of the block. The operating system releases it when a process dies.

    Args:
        holder: who asks, shown to whoever comes second.
        patience_seconds: how long to wait for another holder before giving up.

    Raises:
        TitansError: another process holds the lock; names it and since when.
    """
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    path = warehouse.with_suffix(".lock")
    deadline = time.monotonic() + patience_seconds
    with path.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TitansError(_refusal(path, warehouse)) from None
                time.sleep(_POLL_SECONDS)
        file.seek(0)
        file.truncate()
        json.dump({"holder": holder, "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}, file)
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()
            file.flush()


def _refusal(path: Path, warehouse: Path) -> str:
    try:
        held = json.loads(path.read_text())
        who = f"{held['holder']} (process {held['pid']}) has held it since {held['since']}"
    except (OSError, ValueError, KeyError):
        who = "another process holds it"
    return f"Another build is writing {warehouse}: {who}. Wait for it to end, then run again; nothing was changed."
