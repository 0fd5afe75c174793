"""Logs that are only added to: their length has a bound, and no line of a running process is lost."""

from __future__ import annotations

import os
from pathlib import Path

from titans.commands.airflow import _shorten
from titans.output import quiet_libraries

LONG = 10 * 2**20 + 1


def test_the_log_of_a_command_begins_anew_once_it_is_long(tmp_path: Path) -> None:
    log = tmp_path / "make-run.log"
    for size in (LONG, 5):
        log.write_bytes(b"x" * size)
        with quiet_libraries(log):
            os.write(1, b"a line\n")
        assert (tmp_path / "make-run.log.1").stat().st_size == LONG
    assert log.read_text() == "xxxxxa line\n"


def test_a_component_writes_on_after_its_log_began_anew(tmp_path: Path) -> None:
    log = tmp_path / "scheduler.log"
    with log.open("a") as output:
        output.write("x" * LONG)
        output.flush()
        _shorten(tmp_path)
        output.write("the next line\n")
    assert log.read_text() == "the next line\n"
    assert (tmp_path / "scheduler.log.1").stat().st_size == LONG
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scheduler.log", "scheduler.log.1"]
