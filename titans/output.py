"""The terminal: one console for people, while everything that libraries print goes to a log file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

# A pipe has no width of its own: wide enough for a sentence a line.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


_LONG = 10 * 2**20


def is_long(log: Path) -> bool:
    """Whether a log that is only added to has grown past 10 MiB."""
    return log.exists() and log.stat().st_size > _LONG


def earlier_log(log: Path) -> Path:
    """Where the lines of a long log go: one such file is kept."""
    return log.with_name(f"{log.name}.1")


@contextmanager
def quiet_libraries(log: Path) -> Iterator[Console]:
    """Send the process's standard output and error to ``log``; yields a console on the real terminal.

    Airflow and dbt print hundreds of lines to the file descriptors themselves: these are redirected, not the streams.
    The caller is the only one who writes ``log``, which begins anew once it is long.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if is_long(log):
        log.replace(earlier_log(log))
    sys.stdout.flush()
    sys.stderr.flush()
    terminal, errors = os.dup(1), os.dup(2)
    with log.open("a", encoding="utf-8") as target, os.fdopen(os.dup(terminal), "w", encoding="utf-8") as stream:
        os.dup2(target.fileno(), 1)
        os.dup2(target.fileno(), 2)
        try:
            yield Console(file=stream, highlight=False, soft_wrap=not os.isatty(terminal))
        finally:
            # The log may be on a disk that is full: what stopped the run must reach the terminal all the same.
            for stream_of_python in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):
                    stream_of_python.flush()
            os.dup2(terminal, 1)
            os.dup2(errors, 2)
            os.close(terminal)
            os.close(errors)
