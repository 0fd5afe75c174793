"""What a process costs: wall clock, processor, memory; and an end to one that takes too much."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its types are no dependency

from include.settings import PROJECT_ROOT
from titans.processes import signals_held

_POLL_SECONDS = 0.1
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_GIB = 2.0**30


@dataclass(frozen=True)
class Limits:
    """What a part may take before it is stopped.

    Attributes:
        memory: bytes that its processes hold together.
        seconds: of wall clock.
    """

    memory: int
    seconds: float


@dataclass(frozen=True)
class Cost:
    """What a process and those that it waited for took.

    Attributes:
        cpu: seconds of user and system time.
        peak: bytes that the largest of them held at once.
        facts: what the process says of itself.
        failed: why it did not end well, in a sentence.
    """

    wall: float
    cpu: float
    peak: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    failed: str | None = None


def run_apart(
    arguments: Sequence[str], environment: Mapping[str, str], limits: Limits, log: Path, report: Path | None = None
) -> Cost:
    """Run ``python`` with ``arguments`` as a process of its own, to its end or to the limits.

    Args:
        log: takes its output.
        report: the file in which it says what it came to, as JSON; ``failed`` is a sentence.
    """
    started, reason = time.monotonic(), None
    with log.open("wb") as output, _child([sys.executable, *arguments], environment, output) as process:
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            if _memory(process.pid) > limits.memory:
                reason = f"stopped: it took more than {limits.memory / _GIB:.1f} GiB of memory"
            elif time.monotonic() - started > limits.seconds:
                reason = f"stopped after {limits.seconds / 60:g} minutes"
            if reason:
                _stop(process.pid)
                ended = os.wait4(process.pid, 0)
                break
            time.sleep(_POLL_SECONDS)
        wall = time.monotonic() - started
        _, status, usage = ended
        process.returncode = os.waitstatus_to_exitcode(status)
    facts: dict[str, Any] = {}
    if report is not None:
        with suppress(OSError, ValueError):  # it was stopped before it could say anything
            facts = json.loads(report.read_text(encoding="utf-8"))
            report.unlink()
    failed = reason or facts.pop("failed", None)
    if failed is None and process.returncode < 0:
        failed = f"killed by {signal.Signals(-process.returncode).name}"
    elif failed is None and process.returncode:
        failed = _last_words(log) or f"ended with {process.returncode}"
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _MAXRSS_UNIT, facts, failed)


@contextmanager
def _child(command: list[str], environment: Mapping[str, str], output: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive the block, whatever ends it."""
    process = None
    try:
        with signals_held((signal.SIGINT, signal.SIGTERM)):
            process = subprocess.Popen(
                command, cwd=PROJECT_ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        yield process
    except BaseException:
        if process is not None:
            _stop(process.pid)
            process.wait()
        raise


def _memory(pid: int) -> int:
    total = 0
    with suppress(psutil.Error):  # it ended meanwhile
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def _stop(pid: int) -> None:
    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in [*parent.children(recursive=True), parent]:
            with suppress(psutil.Error):
                process.kill()


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
