"""The stages of a run in a child process that is killed at a random moment of a random stage."""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from uuid import uuid4

from include import build
from include.publishing import generations
from include.runs.records import Run
from include.settings import Settings
from tests.pipeline import AS_OF, ingest_all
from tests.soak.published import differences, linked_truth
from tests.soak.tally import Tally
from tests.soak.world import TRUTHS, settings_of, write_truth

STAGES = ("ingest", "load", "check_raw", "transform", "check_marts", "publish")
ROUNDS_PER_STORE = 25
"""A store grows with every export; a fresh one now and then keeps a round short."""
_BEGIN_AGAIN = 0.25
"""How often a new run follows a kill, where else the same one goes on."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["tests.soak.stage_kills", "dbt.cli.main", "dbt.adapters.duckdb.connections", "great_expectations"]
)


def _run(settings: Settings, run_id: str, first: str, said: Connection) -> None:
    """The pipeline from stage ``first`` on, in the child: says each stage as it begins."""
    logging.disable(logging.CRITICAL)
    run = Run(settings.store, "build_marts", run_id)
    steps: dict[str, Callable[..., object]] = {
        "ingest": lambda settings, _: ingest_all(settings),
        "load": build.load,
        "check_raw": build.check_raw,
        "transform": build.transform,
        "check_marts": build.check_marts,
        "publish": build.publish_marts,
    }
    for stage in STAGES[STAGES.index(first) :]:
        said.send(stage)
        steps[stage](settings, run)
    run.finish(AS_OF.isoformat())
    said.send("end")


@dataclass
class StageKiller:
    """Runs exports one after the other, kills each at random moments, goes on undisturbed, and compares.

    After a kill the same run goes on with the stage that was killed, as Airflow does when a task is tried again or cleared, or a new run begins, as the
    schedule does.

    Attributes:
        seconds: how long each stage took, undisturbed; kills are drawn from the median of them.
    """

    folder: Path
    tally: Tally
    luck: random.Random
    truths: int = TRUTHS
    references: dict[str, Path] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    rounds: int = 0

    def prepare(self) -> None:
        """Build each truth once, undisturbed, in a store of its own."""
        for truth in range(self.truths):
            data = self.folder / f"reference-{truth}"
            settings = settings_of(data, write_truth(self.folder / f"export-{truth}", truth), 0)
            self._undisturbed(settings, _new_id(), STAGES[0])
            last = generations.last_of_source(settings.published, settings.source)
            assert last is not None, "an undisturbed run publishes"
            self.references[str(truth)] = settings.published.file(last.generation)
        names = list(self.references)
        for one, two in pairwise(names):
            assert differences(self.references[one], self.references[two]), (
                "two truths must differ, or nothing would be tested"
            )

    def round(self, kills: int = 1) -> None:
        """One export: ``kills`` kills, each followed by a look at the link, then a run to the end, and a look at its marts."""
        if self.rounds % ROUNDS_PER_STORE == 0:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
        truth = str(self.rounds % self.truths)
        settings = settings_of(self.folder / "data", self.folder / f"export-{truth}", self.rounds)
        before = linked_truth(settings, self.references, self.tally, "an undisturbed run")
        run_id, stage = _new_id(), STAGES[0]
        for _ in range(kills):
            place = STAGES.index(stage)
            stage, after = self._killed(settings, run_id, stage, self.luck.choice(STAGES[place : place + 2]))
            if after:
                self.tally.done[f"kills in {stage}"] += 1
                told = linked_truth(settings, self.references, self.tally, after)
                if told not in (before, truth):
                    self.tally.wrong.append(f"after {after} the link tells truth {told}, neither {before} nor {truth}")
            if not after or self.luck.random() < _BEGIN_AGAIN:
                run_id, stage = _new_id(), STAGES[0]
        self._undisturbed(settings, run_id, stage)
        told = linked_truth(settings, self.references, self.tally, f"the run after the kills of round {self.rounds}")
        if told != truth:
            self.tally.wrong.append(f"round {self.rounds} ends in truth {told}, not in {truth}")
        self.tally.done["runs after a kill that end in the marts of an undisturbed one"] += told == truth
        self.rounds += 1

    def _start(
        self, settings: Settings, run_id: str, first: str
    ) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        heard, said = _context.Pipe(duplex=False)
        process = _context.Process(target=_run, args=(settings, run_id, first, said), daemon=True)
        process.start()
        said.close()
        return process, heard

    def _undisturbed(self, settings: Settings, run_id: str, first: str) -> None:
        process, heard = self._start(settings, run_id, first)
        stage, since = "", time.monotonic()
        try:
            while stage != "end":
                said = heard.recv()
                if stage:
                    self.seconds[stage].append(time.monotonic() - since)
                stage, since = said, time.monotonic()
        except EOFError:
            self.tally.wrong.append(f"an undisturbed run of round {self.rounds} died in {stage or 'its start'}")
        process.join()

    def _killed(self, settings: Settings, run_id: str, first: str, wanted: str) -> tuple[str, str]:
        """Kill a run some time into ``wanted``, or what came after it by then; the stage, and what happened in words, or nothing if it had ended before."""
        process, heard = self._start(settings, run_id, first)
        delay = self.luck.uniform(0, 1.1 * median(self.seconds[wanted]))
        stage = ""
        try:
            while stage != wanted:
                stage = heard.recv()
            process.join(delay)
            if process.is_alive():
                assert process.pid is not None, "a started process has an id"
                os.kill(process.pid, signal.SIGKILL)
            process.join()
            while heard.poll():
                stage = heard.recv()
        except EOFError:
            process.join()
        if process.exitcode == -signal.SIGKILL and stage != "end":
            return stage, f"a kill in {stage}, {delay:.2f} s after {wanted} had begun (round {self.rounds})"
        if stage != "end":
            self.tally.wrong.append(
                f"a run of round {self.rounds} died by itself in {stage or 'its start'}, with code {process.exitcode}"
            )
        return stage, ""


def _new_id() -> str:
    return f"soak__{uuid4().hex}"
