"""How far a long step has come: said to what watches this process, and at intervals in its log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

Say = Callable[[str], None]

_log = logging.getLogger(__name__)
_INTERVAL_SECONDS = 10.0
_watchers: list[Say] = []


@contextmanager
def watched(say: Say) -> Iterator[None]:
    """Within the block ``say`` hears every step, in the thread that takes it."""
    _watchers.append(say)
    try:
        yield
    finally:
        _watchers.remove(say)


def at_intervals(say: Say, clock: Callable[[], float] = time.monotonic) -> Say:
    """Passes on what comes ten seconds or more after what it passed on last."""
    said_at = clock()

    def maybe_say(text: str) -> None:
        nonlocal said_at
        if clock() - said_at >= _INTERVAL_SECONDS:
            said_at = clock()
            say(text)

    return maybe_say


class ModelCount:
    """Counts models as dbt starts them.

    Args:
        total: models that dbt is to build.
    """

    def __init__(self, total: int) -> None:
        self._total, self._started, self._lock = total, 0, Lock()
        self._watchers = [*_watchers, at_intervals(_log.info)]

    def listen(self, event: Any) -> None:
        """Take an event of dbt, which comes in the thread of the node."""
        if event.info.name == "NodeStart" and event.data.node_info.resource_type == "model":
            with self._lock:
                self._started += 1
                for say in self._watchers:
                    say(f"model {self._started} of {self._total}, {event.data.node_info.node_name}")
