"""Entries of the catalogue, several in a delivery: each comes to what it says, and a good delivery makes all well."""

from __future__ import annotations

import random
from itertools import groupby
from pathlib import Path

import pytest

from include.locks import exclusive
from tests.catalogue.mishap import Outcome
from tests.catalogue.page import CATALOGUE, PAGE, page
from tests.catalogue.rounds import Round, build_what_is_judged, play, rounds
from tests.catalogue.worlds import WORLDS, Reference, prepare
from tests.conftest import built_below

ROUNDS = [(name, around) for name, mishaps in CATALOGUE.items() for around in rounds(mishaps, random.Random(2025))]
LARGE_ROUNDS = {"vendor": 4, "export": 2}
WHOLE_DELIVERIES = ("inverted_rates", "rates_of_a_week_gone")
"""Mishaps of no symbol, played here for the outcomes that the large rounds lack."""


def is_refused(world: str, around: Round) -> bool:
    """The export is refused when it is read, so that the round takes no build."""
    (first, *_) = around.hits
    return world == "export" and first.mishap.outcome is Outcome.STOPPED and first.mishap.name != "rates_upside_down"


REFUSED = [(world, around) for world, around in ROUNDS if is_refused(world, around)]
BUILT = [
    (world, around)
    for world, number in LARGE_ROUNDS.items()
    for around in sorted((around for name, around in ROUNDS if name == world), key=lambda around: -len(around.hits))[
        :number
    ]
] + [(world, around) for world, around in ROUNDS if around.hits[0].mishap.name in WHOLE_DELIVERIES]
"""Eight rounds of many mishaps, built as far as they are judged. ``make verify`` plays one of each world whole, with
a good delivery after it; ``make soak ONLY=bad-input`` plays all so."""


@pytest.mark.parametrize(
    ("world", "around"),
    REFUSED + BUILT,
    ids=[f"{world}-{around.hits[0].mishap.name}" for world, around in REFUSED + BUILT],
)
def test_what_is_wrong_is_told_and_costs_nobody_else(
    world: str, around: Round, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reference = _reference(world, tmp_path_factory)
    assert play(WORLDS[world], reference, around, tmp_path, is_whole=False, is_healed=False) == []


def test_the_rounds_played_here_show_every_outcome() -> None:
    assert len(BUILT) == 8
    for world in WORLDS:
        hits = [hit for name, around in REFUSED + BUILT for hit in around.hits if name == world]
        assert {hit.mishap.outcome for hit in hits} >= {mishap.outcome for mishap in CATALOGUE[world]} - {Outcome.KEPT}
        assert len(hits) >= 0.7 * len(CATALOGUE[world])


def test_the_catalogue_has_about_sixty_mechanisms_for_each_world_and_each_once() -> None:
    names = [mishap.name for mishaps in CATALOGUE.values() for mishap in mishaps]
    assert len(names) == len(set(names)) >= 100
    for name, mishaps in CATALOGUE.items():
        told = {outcome for outcome, _ in groupby(sorted(mishap.outcome for mishap in mishaps))}
        assert told >= {Outcome.REJECTED, Outcome.QUARANTINED, Outcome.WARNED, Outcome.STOPPED, Outcome.NOT_FETCHED}, (
            name
        )


def test_every_entry_is_played_and_those_that_tell_something_say_what() -> None:
    played = [hit.mishap.name for _, around in ROUNDS for hit in around.hits]
    assert sorted(played) == sorted(mishap.name for mishaps in CATALOGUE.values() for mishap in mishaps)
    silent = (Outcome.HARMLESS, Outcome.KEPT)
    assert [
        m.name for ms in CATALOGUE.values() for m in ms if m.outcome not in silent and not (m.tells or m.check)
    ] == []


def test_the_page_for_people_says_the_same() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.catalogue.page"


def _reference(world: str, factory: pytest.TempPathFactory) -> Reference:
    """The stores of a world, built by the first worker that wants them."""
    folder = built_below(factory) / f"catalogue-{world}"
    with exclusive(
        Path(f"{folder}.lock"),
        "a test",
        "The stores are still being built by another worker: {who}.",
        patience_seconds=800,
    ):
        done = folder / "friday.txt"
        if not done.exists():
            folder.mkdir()
            done.write_text(str(prepare(WORLDS[world], folder, build_what_is_judged).friday))
    return Reference(folder / "thursday", Path(done.read_text()))
