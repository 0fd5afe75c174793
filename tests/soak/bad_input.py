"""The catalogue of bad input, over and over: each time its entries meet in other deliveries and happen to other symbols."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import replace
from pathlib import Path

from tests.catalogue import export
from tests.catalogue.page import CATALOGUE
from tests.catalogue.rounds import Round, play, rounds
from tests.catalogue.worlds import WORLDS, Hit, prepare
from tests.soak.tally import Tally

_MUCH_RUBBISH = 10_000_000


def try_bad_input(folder: Path, seconds: float, tally: Tally, luck: random.Random) -> None:
    """Play rounds of both worlds in a random order for ``seconds``, ten million rows of rubbish first; counts and findings go into ``tally``."""
    logging.disable(logging.CRITICAL)
    end = time.monotonic() + seconds
    references = {name: prepare(world, folder / name) for name, world in WORLDS.items()}
    much = next(mishap for mishap in export.MISHAPS if mishap.name == "rubbish")
    waiting: list[tuple[str, Round]] = [
        ("export", Round((Hit(replace(much, damage=export.rubbish(_MUCH_RUBBISH)), "*"),)))
    ]
    number = 0
    while time.monotonic() < end:
        if not waiting:
            waiting = [(name, around) for name, mishaps in CATALOGUE.items() for around in rounds(mishaps, luck)]
            luck.shuffle(waiting)
        name, around = waiting.pop(0)
        number += 1
        found = play(WORLDS[name], references[name], around, folder / f"round-{number}")
        tally.done[f"bad inputs tried, of the catalogue's {sum(map(len, CATALOGUE.values()))}"] += len(around.hits)
        tally.done["deliveries with bad input"] += 1
        tally.wrong += found
    logging.disable(logging.NOTSET)
