"""The budget and the breaker of a host, on a clock of the test's own."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from include.errors import TitansError
from include.settings import PROJECT_ROOT, RequestLimits, load_settings
from include.sources.yahoo.host_guard import HostClosedError, HostGuard, retry_after_seconds

HOST = "query.example"
NOON = datetime(2025, 3, 7, 12, 0, tzinfo=UTC).timestamp()
LIMITS = RequestLimits(
    requests_per_minute=30, attempts=4, longest_wait_seconds=60, refusals_until_pause=3, pause_seconds=600
)


class Clock:
    def __init__(self) -> None:
        self.seconds = NOON
        self.waits: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(tmp_path: Path, clock: Clock) -> HostGuard:
    return HostGuard(tmp_path / "requests.sqlite", LIMITS, clock.now, clock.sleep)


def refuse(guard: HostGuard, times: int) -> None:
    for _ in range(times):
        guard.refused(HOST, 429, None)


def test_no_minute_holds_more_requests_than_the_budget(guard: HostGuard, clock: Clock) -> None:
    moments = []
    for _ in range(90):
        guard.admit(HOST)
        moments.append(clock.now())
    assert max(sum(first <= moment < first + 60 for moment in moments) for first in moments) == 30


def test_each_host_has_a_budget_of_its_own(guard: HostGuard, clock: Clock) -> None:
    for host in ("a.example", "b.example", "c.example"):
        guard.admit(host)
    assert clock.waits == []


def test_a_clock_that_was_set_back_does_not_hold_everything_up(guard: HostGuard, clock: Clock) -> None:
    guard.admit(HOST)
    clock.seconds -= 24 * 3600
    guard.admit(HOST)
    assert sum(clock.waits) <= 60


def test_the_breaker_opens_at_the_threshold_and_says_when_to_come_back(guard: HostGuard) -> None:
    refuse(guard, 2)
    guard.admit(HOST)
    with pytest.raises(HostClosedError) as opened:
        refuse(guard, 1)
    with pytest.raises(HostClosedError) as refused:
        guard.admit(HOST)
    assert str(opened.value) == str(refused.value)
    assert str(refused.value).startswith(
        "query.example answered 3 requests in a row with 429, too many requests: it is not asked again before 2025-03-07 12:10:01 UTC. Run again then"
    )
    assert refused.value.until == datetime(2025, 3, 7, 12, 10, 1, tzinfo=UTC)
    guard.admit("another.example")


def test_server_errors_do_not_open_the_breaker(guard: HostGuard) -> None:
    for _ in range(10):
        guard.refused(HOST, 503, None)
    guard.admit(HOST)


def test_an_answer_ends_the_row(guard: HostGuard) -> None:
    for _ in range(5):
        refuse(guard, 2)
        guard.answered(HOST)
    guard.admit(HOST)


def test_after_the_pause_one_is_let_through_and_the_others_wait_for_its_outcome(guard: HostGuard, clock: Clock) -> None:
    with pytest.raises(HostClosedError):
        refuse(guard, 3)
    clock.seconds += 600
    guard.admit(HOST)
    with pytest.raises(HostClosedError):
        guard.admit(HOST)
    guard.answered(HOST)
    guard.admit(HOST)


def test_one_that_was_let_through_and_never_came_back_blocks_nobody_for_long(guard: HostGuard, clock: Clock) -> None:
    with pytest.raises(HostClosedError):
        refuse(guard, 3)
    clock.seconds += 600
    guard.admit(HOST)  # and is killed
    clock.seconds += 60
    guard.admit(HOST)


def test_who_waits_in_the_queue_while_the_breaker_opens_does_not_ask(tmp_path: Path, clock: Clock) -> None:
    other = HostGuard(tmp_path / "requests.sqlite", LIMITS, clock.now, clock.sleep)

    def meanwhile(seconds: float) -> None:
        with pytest.raises(HostClosedError):
            refuse(other, 3)

    guard = HostGuard(tmp_path / "requests.sqlite", LIMITS, clock.now, meanwhile)
    guard.admit(HOST)
    with pytest.raises(HostClosedError):
        guard.admit(HOST)


def test_the_wait_that_a_host_asks_for_counts_for_all(tmp_path: Path, guard: HostGuard, clock: Clock) -> None:
    guard.refused(HOST, 503, 25.0)
    HostGuard(tmp_path / "requests.sqlite", LIMITS, clock.now, clock.sleep).admit(HOST)
    assert clock.waits == [25.0]


def test_who_has_a_place_in_the_queue_waits_too_when_the_host_asks_for_it(tmp_path: Path, clock: Clock) -> None:
    """The host asks for 25 seconds while another process sleeps for its place, two seconds off."""
    other = HostGuard(tmp_path / "requests.sqlite", LIMITS, clock.now, clock.sleep)

    def meanwhile(seconds: float) -> None:
        if not clock.waits:
            other.refused(HOST, 503, 25.0)
        clock.sleep(seconds)

    guard = HostGuard(tmp_path / "requests.sqlite", LIMITS, clock.now, meanwhile)
    guard.admit(HOST)
    guard.admit(HOST)
    assert clock.now() == NOON + 25.0


def test_an_answer_that_was_on_its_way_does_not_close_a_breaker_that_opened_since(tmp_path: Path, clock: Clock) -> None:
    slow, other = (HostGuard(tmp_path / "requests.sqlite", LIMITS, clock.now, clock.sleep) for _ in range(2))
    slow.admit(HOST)
    with pytest.raises(HostClosedError):
        refuse(other, 3)
    slow.answered(HOST)
    with pytest.raises(HostClosedError, match="12:10:01 UTC"):
        other.admit(HOST)


def test_a_pause_of_a_clock_that_was_ahead_begins_anew(guard: HostGuard, clock: Clock) -> None:
    """A machine that woke up in 2040 was refused there; then its clock was set right."""
    clock.seconds = datetime(2040, 1, 1, tzinfo=UTC).timestamp()
    with pytest.raises(HostClosedError):
        refuse(guard, 3)
    clock.seconds = NOON
    with pytest.raises(HostClosedError, match="not asked again before 2025-03-07 12:10:01 UTC"):
        guard.admit(HOST)
    clock.seconds = NOON + 601
    guard.admit(HOST)


def test_a_wait_beyond_all_measure_is_a_day(guard: HostGuard) -> None:
    with pytest.raises(HostClosedError) as caught:
        guard.refused(HOST, 429, 1e12)
    assert caught.value.until == datetime(2025, 3, 8, 12, 0, 1, tzinfo=UTC)


def test_processes_share_budget_and_breaker(tmp_path: Path) -> None:
    """On a clock that stands still, each place in the budget is given once: 20 requests of two processes wait 0, 2, 4, ... 38 seconds."""
    program = f"""
import sys
from pathlib import Path
from include.settings import RequestLimits
from include.sources.yahoo.host_guard import HostClosedError, HostGuard
waits = []
guard = HostGuard(Path(sys.argv[1]), RequestLimits(30, 4, 60, 20, 600), lambda: {NOON}, waits.append)
for _ in range(10):
    before = len(waits)
    guard.admit("{HOST}")
    print(waits[-1] if len(waits) > before else 0.0)
    try:
        guard.refused("{HOST}", 429, None)
    except HostClosedError as error:
        print(error)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "requests.sqlite")]
    environment = {"PYTHONPATH": str(PROJECT_ROOT)}
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = [line for process in processes for line in process.communicate(timeout=60)[0].splitlines()]
    told = [line for line in lines if "in a row" in line]
    assert sorted(float(line) for line in lines if line not in told) == [2.0 * place for place in range(20)]
    assert len(told) == 1, "the twentieth refusal, of whichever process, opens the breaker"
    with pytest.raises(HostClosedError, match="answered 20 requests in a row"):
        HostGuard(tmp_path / "requests.sqlite", LIMITS, lambda: NOON + 599).admit(HOST)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "requests.sqlite"
    path.write_bytes(b"no database at all, and long enough to be looked at as one" * 20)
    with pytest.raises(
        TitansError, match=r"request budget in .*requests\.sqlite cannot be used .*: remove the file and run again"
    ):
        HostGuard(path, LIMITS).admit(HOST)


@pytest.mark.parametrize(
    ("header", "date", "expected"),
    [
        ("120", None, 120.0),
        (" 0 ", None, 0.0),
        ("Fri, 07 Mar 2025 12:02:00 GMT", None, 120.0),
        ("Friday, 07-Mar-25 12:02:00 GMT", None, 120.0),
        ("Fri, 07 Mar 2025 11:00:00 GMT", None, 0.0),
        ("Fri, 07 Mar 2025 15:00:30 GMT", "Fri, 07 Mar 2025 15:00:00 GMT", 30.0),
        ("soon", None, None),
        ("-5", None, None),
        ("9" * 400, None, float("inf")),
        ("Fri, 07 Mar 99999999999999999999 12:02:00 GMT", None, None),
        ("0 MAR 3000000000 0:0", None, None),
        ("Fri, 07 Mar 2025 12:02:00 GMT", "Fri, 07 Mar 99999999999999999999 12:00:00 GMT", 120.0),
        ("1.5", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, date: str | None, expected: float | None) -> None:
    assert retry_after_seconds(header, date, NOON) == expected


@given(
    header=st.one_of(
        st.text(max_size=60),
        st.from_regex(r"(Fri, )?[0-9]{1,25} (Mar|Xxx) -?[0-9]{1,25} [0-9:.]{1,20} (GMT|[+-][0-9]{1,12})?"),
    )
)
@hypothesis_settings(max_examples=300, deadline=None)
def test_whatever_a_host_writes_is_a_wait_or_nothing(header: str) -> None:
    seconds = retry_after_seconds(header, header, NOON)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    "name", ["requests_per_minute", "attempts", "longest_wait_seconds", "refusals_until_pause", "pause_minutes"]
)
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(TitansError, match=rf"TITANS_YAHOO_{name.upper()} must be a whole number from 1 on"):
        load_settings(**{f"yahoo_{name}": 0})
