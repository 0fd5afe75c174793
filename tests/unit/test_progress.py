"""What a long step says reaches a log now and then, not at every step."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from include.progress import at_intervals
from titans.pipeline import _shown


def test_a_log_gets_one_line_in_ten_seconds() -> None:
    moments = iter(range(0, 1000, 3))
    now = 0

    def clock() -> float:
        return now

    heard: list[str] = []
    say = at_intervals(heard.append, clock)
    for now in moments:
        say(str(now))
        if now >= 40:
            break
    assert heard == ["12", "24", "36"]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_draws_each_step_and_a_pipe_is_not_flooded(is_terminal: bool) -> None:
    console = Console(file=StringIO(), force_terminal=is_terminal)
    with console.status("build_marts ...") as status:
        say = _shown(console, status, "build_marts")
        for number in range(1, 161):
            say(f"model {number} of 160, a")
        assert (str(status.status) == "build_marts ... model 160 of 160, a") is is_terminal
    assert is_terminal or console.file.getvalue() == ""  # type: ignore[attr-defined]  # a StringIO
