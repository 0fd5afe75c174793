"""Mishaps that happen in one delivery, each to another symbol, so that one build tries many; and how such a round is judged."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from include.errors import TitansError
from include.gates import marts_gate
from include.gates.runner import run_checks
from include.publishing import generations
from include.raw.store import open_warehouse
from include.settings import Settings, load_settings
from tests.catalogue.mishap import EVIDENCE, VALUES, Mishap, Outcome, symbols_that_lost, wrong_values
from tests.catalogue.worlds import MOST_IN_QUARANTINE, SYMBOLS, Build, Hit, Reference, World
from tests.pipeline import build_all, load_and_judge, transform_only
from titans.commands.status import status_lines


@dataclass(frozen=True)
class Round:
    """What happens in one delivery."""

    hits: tuple[Hit, ...]

    @property
    def name(self) -> str:
        return ", ".join(f"{hit.mishap.name} ({hit.symbol})" for hit in self.hits)


def rounds(mishaps: Iterable[Mishap[Any]], luck: random.Random) -> list[Round]:
    """Every mishap once, on a symbol drawn by ``luck``, in as few deliveries as may be."""
    made: list[list[Hit]] = []
    mishaps = list(mishaps)
    luck.shuffle(mishaps)
    for mishap in mishaps:
        if mishap.on == "*" or mishap.is_alone:
            made.append([Hit(mishap, luck.choice(SYMBOLS.get(mishap.on, ["*"])))])
            continue
        for hits in made:
            free = sorted(set(SYMBOLS[mishap.on]) - {hit.symbol for hit in hits})
            in_quarantine = sum(hit.mishap.outcome is Outcome.QUARANTINED for hit in hits)
            is_full = mishap.outcome is Outcome.QUARANTINED and in_quarantine == MOST_IN_QUARANTINE
            if free and not is_full and not (hits[0].mishap.is_alone or hits[0].symbol == "*"):
                hits.append(Hit(mishap, luck.choice(free)))
                break
        else:
            made.append([Hit(mishap, luck.choice(SYMBOLS[mishap.on]))])
    return [Round(tuple(hits)) for hits in made]


def play(
    world: World, reference: Reference, around: Round, folder: Path, is_whole: bool = True, is_healed: bool = True
) -> list[str]:
    """Deliver the round's mishaps, judge what came of them; if anything landed, deliver the right data and judge again.

    Args:
        is_whole: whether each delivery is built whole and published, as the reference then must be.
        is_healed: whether the right data are delivered.

    Returns:
        A sentence for each thing that should not be.
    """
    data = reference.copy(folder / "data")
    settings = load_settings(data_dir=str(data))
    before, landed_before = generations.linked_generation(settings.published), _landed(data)

    build: Build = build_all if is_whole else partial(build_what_is_judged, hits=around.hits)

    def built(delivered: Settings) -> Path:
        return settings.published.link.resolve() if is_whole else delivered.store.warehouse

    stops = [hit for hit in around.hits if hit.mishap.outcome is Outcome.STOPPED]
    found: list[str] = []
    try:
        delivered = world.deliver(data, list(around.hits), 5, build)
    except TitansError as error:
        status = "\n".join(text for _, text in status_lines(settings, datetime.now(UTC)))
        if not stops:
            found.append(f"nothing is published though nothing should stop it: {error}")
        found += [
            f"{hit.mishap.name}: {place} does not say {hit.mishap.tells!r} but: {text}"
            for hit in stops
            for place, text in {"the error": str(error), "make status": status}.items()
            if hit.mishap.tells not in text
        ]
        if generations.linked_generation(settings.published) != before:
            found.append("a delivery that was refused has changed what is published")
    else:
        found += [f"{hit.mishap.name} was published" for hit in stops]
        found += _judge_built(built(delivered), reference, around)
    is_harmless = all(hit.mishap.outcome is Outcome.HARMLESS for hit in around.hits)
    if is_healed and _landed(data) != landed_before and not is_harmless:
        try:
            healed = world.deliver(data, [], 15, build)
        except TitansError as error:
            found.append(f"the good delivery afterwards fails: {error}")
        else:
            good = built(healed)
            found += [f"after the good delivery {text}" for text in symbols_that_lost(reference.friday, good, [])]
            found += [f"after the good delivery {text}" for text in wrong_values(reference.friday, good, [])]
    shutil.rmtree(data)
    return [f"{text} [{around.name}]" for text in found]


def build_what_is_judged(settings: Settings, as_of: date, hits: Sequence[Hit] = ()) -> None:
    """A build of no more than ``hits`` are judged by: values, evidence, gate 1, and the warnings of gate 2 that tell them."""
    record = load_and_judge(settings, as_of)
    names = {hit.mishap.check for hit in hits}
    checks = [check for check in marts_gate.checks(settings.dbt_project_dir) if check.name in names]
    tables = [check.table.split(".")[1] for check in checks]
    evidence = {EVIDENCE[hit.mishap.outcome] for hit in hits if hit.mishap.outcome in EVIDENCE}
    transform_only(settings, *(f"+{model}" for model in (*VALUES, *sorted(evidence), *tables)))
    results = [*record.checks, *run_checks("check_marts", settings.store.warehouse, checks)]
    with open_warehouse(settings.store) as connection:
        connection.execute(
            "create schema if not exists ops; create or replace table ops.validation_results (name varchar, status varchar, examples varchar)"
        )
        connection.executemany(
            "insert into ops.validation_results values (?, ?, ?)",
            [[check.name, check.status, json.dumps(check.examples)] for check in results],
        )


def _landed(data: Path) -> set[str]:
    return {path.name for path in data.glob("*/landing/**/*.parquet")}


def _judge_built(database: Path, reference: Reference, around: Round) -> list[str]:
    harmless = {hit.symbol for hit in around.hits if hit.mishap.outcome is Outcome.HARMLESS}
    damaged = {hit.mishap.told_of or hit.symbol for hit in around.hits} | {hit.symbol for hit in around.hits}
    told = [hit.symbol for hit in around.hits if hit.mishap.outcome in (Outcome.WARNED, Outcome.RESTATED)]
    found = [text for hit in around.hits for text in hit.mishap.evidence(database, hit.symbol)]
    found += wrong_values(reference.friday, database, told)
    found += symbols_that_lost(reference.friday, database, sorted(damaged - harmless))
    return found
