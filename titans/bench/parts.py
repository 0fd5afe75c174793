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
        rows: price rows of the delivery that it went through; None where they do not matter to it.
        disk: bytes of all that the bench has on disk after it.
        cost: None where a part that it needs did not end.
    """

    title: str
    rows: int | None
    disk: int
    cost: Cost | None

    @property
    def failed(self) -> str | None:
        return self.cost.failed if self.cost else "not run: a part before it did not end"


TRANSFORM, PUBLISH, COPY = "transform", "publish", "copy of what was published"
REPORT = "its report once more"
READERS = "readers"
GATE_1, GATE_2 = "gate 1", "gate 2"
MODELS, BY_HAND = "five marts: models", "five marts: by hand"
DELTA, WHOLE_EXPORT = "day after, delta", "day after that, whole"
DELIVERED = ("ingest", "load", GATE_1)
"""The parts that a delivery of each day goes through; a title of later days has the day before it."""


def of_day(day: str, part: str) -> str:
    """The title of a part that a delivery of a later day goes through."""
    return f"{day}: {part}"


def _of_day(day: str, delivery: Delivery) -> list[Step]:
    before: tuple[str, ...] = ()
    steps = []
    for part, stage in zip(DELIVERED, ("ingest", "load", "check_raw"), strict=True):
        steps.append(Step(of_day(day, part), stage, delivery, (part, *before)))
        before = (of_day(day, part),)
    return steps


FIRST = Delivery("first", FIRST_EXPORT, "bench__first")
NEWS = Delivery("day_after", DAY_AFTER, "bench__day_after")
WHOLE = Delivery("day_after_that", DAY_AFTER_THAT, "bench__day_after_that")

STEPS = (
    Step("world", "world", FIRST),
    Step("ingest", "ingest", FIRST, ("world",)),
    Step("load", "load", FIRST, ("ingest",)),
    Step(GATE_1, "check_raw", FIRST, ("load",)),
    Step("dbt parse", "parse", FIRST, ("world",)),
    Step(TRANSFORM, "transform", FIRST, (GATE_1, "dbt parse")),
    Step(GATE_2, "check_marts", FIRST, (TRANSFORM,)),
    Step(PUBLISH, "publish", FIRST, (GATE_2,)),
    Step("publish again, unchanged", "publish", FIRST, (PUBLISH,)),
    Step(REPORT, "report", FIRST, (PUBLISH,)),
    Step(COPY, "copy", FIRST, (PUBLISH,)),
    Step(READERS, "readers", FIRST, (PUBLISH,)),
    Step(MODELS, "models", FIRST, (TRANSFORM,)),
    Step(BY_HAND, "by_hand", FIRST, (MODELS,)),
    *_of_day(DELTA, NEWS),
    *_of_day(WHOLE_EXPORT, WHOLE),
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
        rows = None if step.stage == "parse" else _rows(folder, step.delivery)
        yield Part(step.title, rows, _bytes_in(folder), cost)


def own_environment() -> dict[str, str]:
    """The caller's, without what says which data are meant."""
    own = {f"TITANS_{name}" for name in _OF_THE_BENCH}
    return {name: value for name, value in os.environ.items() if name not in own}


def _environment(folder: Path, delivery: Delivery) -> dict[str, str]:
    world = folder / "world"
    return own_environment() | {
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
        return run_apart(["-m", "titans.bench", *size, str(folder / "world")], own_environment(), limits, log)
    report = folder / "report.json"
    arguments = ["-m", "titans.bench.stages", step.stage, step.delivery.run, str(report)]
    return run_apart(arguments, _environment(folder, step.delivery), limits, log, report)


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
