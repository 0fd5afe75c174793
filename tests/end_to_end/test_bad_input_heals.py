"""A round of the catalogue in each world, built whole and published, and the good delivery after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.catalogue.rounds import play
from tests.catalogue.test_catalogue import BUILT
from tests.catalogue.worlds import WORLDS, prepare


@pytest.mark.parametrize("world", WORLDS)
def test_a_good_delivery_makes_all_well(world: str, tmp_path: Path) -> None:
    around = next(around for name, around in BUILT if name == world)
    reference = prepare(WORLDS[world], tmp_path / "reference")
    assert play(WORLDS[world], reference, around, tmp_path) == []
