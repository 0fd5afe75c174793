"""The parts of a run on a made-up world, one after the other, each a process of its own that is measured."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from titans.bench.measure import Cost, Limits, run_apart
from titans.bench.world import DAY_AFTER, DAY_AFTER_THAT, FIRST_EXPORT, World

_OF_THE_BENCH = (
    *("SOURCE", "FILES_DIR", "EXPORTED_AT", "AS_OF", "KNOWN_AT", "DATA_DIR", "DBT_PROJECT_DIR"),
    *("ACCEPT_LOSS", "SWITCH", "WEBHOOK_URL"),
)
"""Settings that the bench gives itself. Of the others, such as batch sizes, those of the environment hold."""


@dataclass(frozen=True)
class Delivery:
    """An export, and the build of what it brings."""

    folder: str
    day: date
    run: str


@dataclass(frozen=True)
class Step:
    """A part to be.

    Attributes:
        title: what the tables call it.
        stage: its name in ``titans.bench.stages``; ``world`` writes the exports.
        needs: titles of the parts without which it cannot run.
    """

    title: str
    stage: str
    delivery: Delivery
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A part that ran, or could not.

    Attributes:
        rows: price rows of the delivery that it went through.
        disk: bytes of all that the bench has on disk after it.
        cost: None where a part that it needs did not end.
    """

    title: str
    rows: int
    disk: int
    cost: Cost | None

    @property
    def failed(self) -> str | None:
        return self.cost.failed if self.cost else "not run: a part before it did not end"


FIRST = Delivery("first", FIRST_EXPORT, "bench__first")
NEWS = Delivery("day_after", DAY_AFTER, "bench__day_after")
WHOLE = Delivery("day_after_that", DAY_AFTER_THAT, "bench__day_after_that")

STEPS = (
    Step("world", "world", FIRST),
    Step("ingest", "ingest", FIRST, ("world",)),
    Step("load", "load", FIRST, ("ingest",)),
    Step("gate 1", "check_raw", FIRST, ("load",)),
    Step("dbt parse", "parse", FIRST, ("world",)),
    Step("transform", "transform", FIRST, ("gate 1", "dbt parse")),
    Step("gate 2", "check_marts", FIRST, ("transform",)),
    Step("publish", "publish", FIRST, ("gate 2",)),
    Step("publish again, unchanged", "publish", FIRST, ("publish",)),
    Step("one copy of what was published", "copy", FIRST, ("publish",)),
    Step("models of five marts, one by one", "models", FIRST, ("transform",)),
    Step("the same marts by hand", "by_hand", FIRST, ("models of five marts, one by one",)),
    Step("day after, what is new: ingest", "ingest", NEWS, ("ingest",)),
    Step("day after, what is new: load", "load", NEWS, ("load", "day after, what is new: ingest")),
    Step("day after, what is new: gate 1", "check_raw", NEWS, ("gate 1", "day after, what is new: load")),
    Step("day after that, whole: ingest", "ingest", WHOLE, ("ingest",)),
    Step("day after that, whole: load", "load", WHOLE, ("load", "day after that, whole: ingest")),
    Step("day after that, whole: gate 1", "check_raw", WHOLE, ("gate 1", "day after that, whole: load")),
)


def run_parts(world: World, folder: Path, limits: Limits, begins: Callable[[str], None]) -> Iterator[Part]:
    """Run every part that can run, and yield each as it ends.

    Args:
        folder: an empty folder; the world, the data and the logs come into it.
        begins: gets the title of each part before it runs.
    """
    whole: set[str] = set()
    for step in STEPS:
        cost = None
        if whole.issuperset(step.needs):
            begins(step.title)
            cost = _run(step, world, folder, limits)
            if cost.failed is None:
                whole.add(step.title)
        yield Part(step.title, _rows(folder, step.delivery), _bytes_in(folder), cost)


def environment(folder: Path, delivery: Delivery) -> dict[str, str]:
    """Of a process of the bench: that of the caller, but with the world's data, seeds and export."""
    own = {f"TITANS_{name}" for name in _OF_THE_BENCH}
    world = folder / "world"
    return {name: value for name, value in os.environ.items() if name not in own} | {
        "TITANS_SOURCE": "files",
        "TITANS_FILES_DIR": str(world / delivery.folder),
        "TITANS_EXPORTED_AT": delivery.day.isoformat(),
        "TITANS_DATA_DIR": str(folder / "data"),
        "TITANS_DBT_PROJECT_DIR": str(world / "project"),
    }


def _run(step: Step, world: World, folder: Path, limits: Limits) -> Cost:
    log = folder / "logs" / f"{step.title}.log".replace(" ", "-")
    log.parent.mkdir(exist_ok=True)
    if step.stage == "world":
        size = [f"--{name}={getattr(world, name)}" for name in ("symbols", "years", "baskets", "members")]
        return run_apart(["-m", "titans.bench", *size, str(folder / "world")], dict(os.environ), limits, log)
    report = folder / "report.json"
    arguments = ["-m", "titans.bench.stages", step.stage, step.delivery.run, str(report)]
    return run_apart(arguments, environment(folder, step.delivery), limits, log, report)


def _rows(folder: Path, delivery: Delivery) -> int:
    """Price rows of a delivery; 0 where it was not written."""
    try:
        rows: dict[str, Any] = json.loads((folder / "world" / "rows.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return 0
    return int(rows[delivery.folder]["prices"])


def _bytes_in(folder: Path) -> int:
    """On disk, holes left out."""
    paths = (Path(root) / name for root, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_blocks * 512 for path in paths)
