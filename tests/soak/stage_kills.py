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

from include import build
from include.publishing import generations
from include.settings import Settings
from tests.pipeline import AS_OF, ingest_all, new_run
from tests.soak.published import differences, linked_truth
from tests.soak.tally import Tally
from tests.soak.world import TRUTHS, settings_of, write_truth

STAGES = ("ingest", "load", "check_raw", "transform", "check_marts", "publish")
ROUNDS_PER_STORE = 25
"""A store grows with every export; a fresh one now and then keeps a round short."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.soak.stage_kills", "dbt.cli.main", "dbt.adapters.duckdb.connections", "great_expectations"])


def _run(settings: Settings, said: Connection) -> None:
    """The whole pipeline, in the child: says each stage as it begins."""
    logging.disable(logging.CRITICAL)
    said.send("ingest")
    ingest_all(settings)
    run = new_run(settings)
    steps: dict[str, Callable[..., object]] = {
        "load": build.load,
        "check_raw": build.check_raw,
        "transform": build.transform,
        "check_marts": build.check_marts,
        "publish": build.publish_marts,
    }
    for stage, step in steps.items():
        said.send(stage)
        step(settings, run)
    run.finish(AS_OF.isoformat())
    said.send("end")


@dataclass
class StageKiller:
    """Runs exports one after the other, kills each at a random moment, runs again undisturbed, and compares.

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
            self._undisturbed(settings)
            last = generations.last_of_source(settings)
            assert last is not None, "an undisturbed run publishes"
            self.references[str(truth)] = generations.generation_path(settings, last.generation)
        names = list(self.references)
        for one, two in pairwise(names):
            assert differences(self.references[one], self.references[two]), "two truths must differ, or nothing would be tested"

    def round(self, kills: int = 1) -> None:
        """One export: ``kills`` runs that are killed, each followed by a look at the link, then one that ends, and a look at its marts."""
        if self.rounds % ROUNDS_PER_STORE == 0:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
        truth = str(self.rounds % self.truths)
        settings = settings_of(self.folder / "data", self.folder / f"export-{truth}", self.rounds)
        before = linked_truth(settings, self.references, self.tally, "an undisturbed run")
        for _ in range(kills):
            stage = self.luck.choice(STAGES)
            after = self._killed(settings, stage)
            if after is None:
                continue
            self.tally.done[f"kills in {stage}"] += 1
            told = linked_truth(settings, self.references, self.tally, after)
            if told not in (before, truth):
                self.tally.wrong.append(f"after {after} the link tells truth {told}, neither {before} nor {truth}")
        self._undisturbed(settings)
        told = linked_truth(settings, self.references, self.tally, f"the run after the kills of round {self.rounds}")
        if told != truth:
            self.tally.wrong.append(f"round {self.rounds} ends in truth {told}, not in {truth}")
        self.tally.done["runs after a kill that end in the marts of an undisturbed one"] += told == truth
        self.rounds += 1

    def _start(self, settings: Settings) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        heard, said = _context.Pipe(duplex=False)
        process = _context.Process(target=_run, args=(settings, said), daemon=True)
        process.start()
        said.close()
        return process, heard

    def _undisturbed(self, settings: Settings) -> None:
        process, heard = self._start(settings)
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

    def _killed(self, settings: Settings, wanted: str) -> str | None:
        """Kill a run some time into ``wanted``; what happened in words, or None if it had ended before."""
        process, heard = self._start(settings)
        delay = self.luck.uniform(0, 1.1 * median(self.seconds[wanted]))
        try:
            while heard.recv() != wanted:
                pass
        except EOFError:
            process.join()
            self.tally.wrong.append(f"a run of round {self.rounds} died before {wanted}")
            return None
        process.join(delay)
        if not process.is_alive():
            return None
        assert process.pid is not None, "a started process has an id"
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        return f"a kill {delay:.2f} s into {wanted} (round {self.rounds})"
