"""How often all processes together may ask a host: a budget a minute, and a breaker for when the host refuses.

The state is one row a host in a small SQLite file: it survives a killed process, and the next run finds it. Budget and
breaker share the row and its lock, since a refusal moves the next free place and an open breaker ends the queue.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from include.errors import TitansError
from include.settings import RequestLimits

TOO_MANY_REQUESTS = 429
_PROBE_SECONDS = 60.0
"""How long the other requests wait for the outcome of the probe, the first request after a pause."""
_LONGEST_PAUSE_SECONDS = 24 * 3600.0


class HostClosedError(OSError):
    """The breaker is open until the time in the message. An OSError, as any other failure of the network."""

    def __init__(self, reason: str, until: float) -> None:
        # Rounded up: a run that begins at this time must not be a fraction of a second early.
        self.until = datetime.fromtimestamp(int(until) + 1, UTC)
        super().__init__(
            f"{reason}: it is not asked again before {self.until:%Y-%m-%d %H:%M:%S} UTC. "
            "Run again then; what has landed stays and is not asked for again."
        )


@dataclass
class _State:
    """What is known of a host.

    Attributes:
        next_at: first free place in the budget.
        not_before: until when the host asked to wait; requests that have a place already wait too.
        refusals: 429 answers in a row.
        closed_until: None unless the breaker is open or its one probe is out.
        reason: why the breaker is open.
    """

    next_at: float = 0.0
    not_before: float = 0.0
    refusals: int = 0
    closed_until: float | None = None
    reason: str = ""


class HostGuard:
    """Every request passes here before it is sent, and its answer after.

    Args:
        path: the file shared by all processes.
        now: seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        limits: RequestLimits,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limits = limits
        self.now = now
        self.sleep = sleep
        self._path = path
        self._probed: set[str] = set()
        """Hosts whose last request from here is the one that was let through after a pause."""

    def check(self, host: str) -> None:
        """Refuse while the breaker is open.

        Raises:
            HostClosedError: says until when.
        """
        with self._state(host) as state:
            self._refuse_if_closed(state)

    def is_on_trial(self, host: str) -> bool:
        """Whether the pause of the host is over and no request has shown yet that it answers again."""
        with self._state(host) as state:
            return state.closed_until is not None and state.closed_until <= self.now()

    def admit(self, host: str) -> None:
        """Wait for a place in the budget. After a pause one request is let through as a probe; the others are refused.

        Raises:
            HostClosedError: the breaker is open, or opened while this request waited.
        """
        is_probe = False
        while True:
            with self._state(host) as state:
                if not is_probe:
                    self._refuse_if_closed(state)
                now = self.now()
                if state.closed_until is not None:
                    state.closed_until = now + _PROBE_SECONDS
                    is_probe = True
                # A clock that was set back must not hold everything up.
                slot = max(now, min(state.next_at, now + max(60.0, self.limits.longest_wait_seconds)))
                state.next_at = slot + 60.0 / self.limits.requests_per_minute
            (self._probed.add if is_probe else self._probed.discard)(host)
            if slot <= now:
                return
            self.sleep(slot - now)
            with self._state(host) as state:
                if not is_probe:
                    self._refuse_if_closed(state)
                # A wait above the limit means a clock that was set back.
                if not 0.0 < state.not_before - self.now() <= self.limits.longest_wait_seconds:
                    return

    def answered(self, host: str) -> None:
        """The host gave an answer: the breaker closes, unless the request was on its way before it opened."""
        with self._state(host) as state:
            if state.closed_until is not None and host not in self._probed:
                return
            state.refusals, state.closed_until, state.reason = 0, None, ""

    def refused(self, host: str, status: int, retry_after_seconds: float | None) -> None:
        """The host answered 429 or with a server error. What it says about when to come back counts for all processes.

        Raises:
            HostClosedError: that opened the breaker: one 429 too many, or a wait that is longer than the limit.
        """
        wait = min(retry_after_seconds or 0.0, _LONGEST_PAUSE_SECONDS)
        with self._state(host) as state:
            now = self.now()
            state.refusals += status == TOO_MANY_REQUESTS
            if state.refusals >= self.limits.refusals_until_pause:
                state.closed_until = now + max(wait, self.limits.pause_seconds)
                answered = "a request" if state.refusals == 1 else f"{state.refusals} requests in a row"
                state.reason = f"{host} answered {answered} with 429, too many requests"
            elif wait > self.limits.longest_wait_seconds:
                state.closed_until = now + wait
                state.reason = (
                    f"{host} answered {status} and asks to be left alone for {wait:.0f} seconds (Retry-After)"
                )
            else:
                state.not_before = max(state.not_before, now + wait)
                state.next_at = max(state.next_at, now + wait)
                return
            closed_until, reason = state.closed_until, state.reason
        raise HostClosedError(reason, closed_until)

    def _refuse_if_closed(self, state: _State) -> None:
        if state.closed_until is not None and self.now() < state.closed_until:
            raise HostClosedError(state.reason, state.closed_until)

    @contextmanager
    def _state(self, host: str) -> Iterator[_State]:
        """The host's row, for one process at a time; what the block changes is stored, also where it refuses."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=30.0, isolation_level=None)) as file:
                file.execute(
                    "pragma synchronous = off"
                )  # a killed process loses nothing by it, a power cut at most the last pause
                file.execute("begin immediate")
                file.execute(
                    "create table if not exists host_states"
                    " (host text primary key, next_at real not null, not_before real not null,"
                    " refusals integer not null, closed_until real, reason text not null)"
                )
                row = file.execute(
                    "select next_at, not_before, refusals, closed_until, reason from host_states where host = ?", [host]
                ).fetchone()
                state = _State(*row) if row else _State()
                # No pause is that long: the clock was ahead then. What is left of it is unknown, so it begins again.
                if state.closed_until is not None and state.closed_until - self.now() > max(
                    _LONGEST_PAUSE_SECONDS, self.limits.pause_seconds
                ):
                    state.closed_until = self.now() + self.limits.pause_seconds
                try:
                    yield state
                finally:
                    file.execute(
                        "insert or replace into host_states values (?, ?, ?, ?, ?, ?)",
                        [host, state.next_at, state.not_before, state.refusals, state.closed_until, state.reason],
                    )
                    file.execute("commit")
        except sqlite3.Error as error:
            raise TitansError(
                f"The request budget in {self._path} cannot be used ({error}): remove the file and run again."
            ) from error


def retry_after_seconds(retry_after: str | None, date: str | None, now: float) -> float | None:
    """The wait of a ``Retry-After`` header, in seconds or as an HTTP date. None if there is none, or none readable.

    Args:
        date: the ``Date`` header of the same answer: with it the clocks of host and client need not agree.
        now: seconds since 1970, for an answer without a date.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    until = _moment(text)
    if until is None:
        return None
    return max(0.0, until - (_moment(date) or now))


def _moment(text: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
