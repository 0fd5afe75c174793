"""Processes that a command starts, none of which outlives it because a signal came at the wrong moment."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def signals_held(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Let ``numbers`` wait until the end of the block: a process that starts in it is known before it is stopped.

    For the main thread. To block them would not do: another thread of a library takes them then.
    """
    came: list[int] = []
    handlers: dict[signal.Signals, Any] = {}
    try:
        for number in numbers:
            if signal.getsignal(number) != signal.SIG_IGN:
                handlers[number] = signal.getsignal(number)
                signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for waiting in came[:1]:
            signal.raise_signal(waiting)
