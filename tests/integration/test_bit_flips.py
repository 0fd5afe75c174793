"""One flipped bit anywhere in a data folder. ``make soak ONLY=bit-flips`` tries thousands."""

from __future__ import annotations

import random
from pathlib import Path

from tests.soak.bit_flips import flip_bits
from tests.soak.tally import Tally


def test_a_flipped_bit_changes_nothing_without_a_sentence(tmp_path: Path) -> None:
    tally = Tally()
    flip_bits(tmp_path / "data", 30, tally, random.Random(1))
    assert tally.findings == []
    assert tally.done["flipped bits that a sentence named"] > 10
