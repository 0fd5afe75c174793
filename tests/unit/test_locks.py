"""A lock is held by one process, says by whom, and ends with its process."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.errors import Runbook, TitansError, is_refused, refusal
from include.locks import HeldError, exclusive
from include.settings import PROJECT_ROOT
from tests.full_disk import no_room

REFUSAL = "It is taken: {who}. Wait."


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the lock."""
    code = (
        "import sys, time; from pathlib import Path; from include.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1]), 'make run', ''):\n    print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_refused_and_reads_who_is_first(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.lock"
    with (
        held_elsewhere(path) as process,
        pytest.raises(HeldError) as caught,
        exclusive(path, "make airflow", REFUSAL, runbook=Runbook.WAREHOUSE_LOCKED),
    ):
        pass
    found = re.fullmatch(r"It is taken: make run \(process (\d+)\) has held it since (\S+)\. Wait\.", str(caught.value))
    assert found is not None
    assert int(found[1]) == process.pid
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found[2])
    assert caught.value.runbook is Runbook.WAREHOUSE_LOCKED


def test_the_lock_ends_with_the_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with held_elsewhere(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with exclusive(path, "make run", REFUSAL):
            assert str(os.getpid()) in path.read_text()


def test_the_second_waits_as_long_as_it_has_patience(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    order = []

    def second() -> None:
        with exclusive(path, "second", REFUSAL, patience_seconds=30):
            order.append("second")

    thread = threading.Thread(target=second)
    with exclusive(path, "first", REFUSAL):
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]


@pytest.mark.parametrize("error", [None, ValueError("stop")])
def test_a_released_lock_names_nobody(tmp_path: Path, error: Exception | None) -> None:
    path = tmp_path / "a.lock"
    try:
        with exclusive(path, "make run", REFUSAL):
            if error:
                raise error
    except ValueError as raised:
        assert raised is error  # noqa: PT017  # with or without an error in the block, the rest must hold
    assert path.read_text() == ""
    with exclusive(path, "make run", REFUSAL):
        assert "make run" in path.read_text()


def test_braces_in_a_path_do_not_hide_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "{0} {who} {a.b}" / "a.lock"
    with held_elsewhere(path):
        refused = pytest.raises(HeldError, match=r"^It is \{x\}: make run \(process \d+\)")
        with refused, exclusive(path, "make airflow", "It is {x}: {who}"):
            pass


@pytest.mark.parametrize("note", ["", "{", "[]", '{"holder": "make run"}'])
def test_a_note_that_cannot_be_read_hides_only_the_name(tmp_path: Path, note: str) -> None:
    path = tmp_path / "a.lock"
    taken = r"^It is taken: another process holds it\. Wait\.$"
    with held_elsewhere(path):
        path.write_text(note)
        with pytest.raises(HeldError, match=taken), exclusive(path, "make airflow", REFUSAL):
            pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL, errno.EIO])
def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    refused = pytest.raises(TitansError, match=r"a\.lock cannot be locked .*Give a folder on a local disk")
    with refused, exclusive(tmp_path / "a.lock", "make run", REFUSAL):
        pass


@pytest.mark.parametrize("is_folder", [True, False], ids=["a folder in its place", "a file for a folder"])
def test_a_lock_that_cannot_be_written_is_a_sentence(tmp_path: Path, is_folder: bool) -> None:
    """Commands and tasks make one of each error that is refused, and try no more."""
    path = tmp_path / "folder" / "of locks" / "a.lock"
    if is_folder:
        path.mkdir(parents=True)
    else:
        path.parent.parent.touch()
    with pytest.raises(OSError, match="directory") as caught, exclusive(path, "make run", REFUSAL):
        pass
    assert is_refused(caught.value)
    assert re.search(r"cannot be read or written .*untouched", refusal(caught.value))


def test_a_lock_that_was_removed_with_its_folder_is_taken_anew(tmp_path: Path) -> None:
    """As make reset does. A build that had waited and a new one both held "the" lock, of two files."""
    path = tmp_path / "files" / "warehouse.lock"
    held: list[str] = []

    def waiting() -> None:
        with exclusive(path, "waiting", REFUSAL, patience_seconds=30):
            with pytest.raises(HeldError), exclusive(path, "new", REFUSAL):
                pass
            held.append(path.read_text())

    thread = threading.Thread(target=waiting)
    with exclusive(path, "make reset", REFUSAL):
        thread.start()
        time.sleep(0.3)
        shutil.rmtree(path.parent)
    thread.join(30)
    assert ['"holder": "waiting"' in text for text in held] == [True]


def test_a_full_disk_hides_only_the_name(tmp_path: Path) -> None:
    """What frees room, such as make tidy, takes a lock too."""
    path = tmp_path / "a.lock"
    with no_room(), exclusive(path, "make tidy", REFUSAL):
        refused = pytest.raises(HeldError, match=r"^It is taken: another process holds it")
        with refused, exclusive(path, "make run", REFUSAL):
            pass
