"""A small version of ``make soak ONLY=stages``: kills at random moments of every stage."""

from __future__ import annotations

import random
from pathlib import Path

from tests.soak.stage_kills import STAGES, StageKiller
from tests.soak.tally import Tally

KILLS_A_ROUND = 5


def test_killed_runs_leave_a_whole_generation_and_the_next_run_repairs_everything(tmp_path: Path) -> None:
    """After each kill the link names a whole generation, the old or the new one; the run after five of them ends as an undisturbed one."""
    tally = Tally()
    killer = StageKiller(tmp_path, tally, random.Random(7), truths=2)
    killer.prepare()
    for _ in range(3):
        killer.round(KILLS_A_ROUND)
    assert tally.findings == []
    kills = {stage: tally.done[f"kills in {stage}"] for stage in STAGES}
    # A stage may end before its kill comes: then there was none.
    assert sum(kills.values()) >= 10, kills
    assert tally.done["runs after a kill that end in the marts of an undisturbed one"] == 3
