"""``make soak MINUTES=30``: kills, readers, bad input and flipped bits for that long, then what they reached.

It ends red if anything was lost, wrong or torn.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.soak.airflow_kills import RunKiller
from tests.soak.bad_input import try_bad_input
from tests.soak.bit_flips import flip_bits
from tests.soak.days import deliver_daily
from tests.soak.readers import FOREIGN_CLIENTS, OWN_CLIENTS, read_while_publishing
from tests.soak.stage_kills import StageKiller
from tests.soak.tally import Tally


class Part(StrEnum):
    """What a soak is made of, in this order."""

    READERS = "readers"
    AIRFLOW = "airflow"
    BAD_INPUT = "bad-input"
    BIT_FLIPS = "bit-flips"
    STAGES = "stages"
    DAYS = "days"


_SHARES = {Part.READERS: 0.12, Part.AIRFLOW: 0.25, Part.BAD_INPUT: 0.18, Part.BIT_FLIPS: 0.1, Part.STAGES: 0.35}
"""Of the time of a whole soak. Days are played alone: what grows shows after a quarter of an hour of them."""
_FLIPS = 2_000
"""At least, however short the soak."""
_KILLS_A_ROUND = 8


def soak(
    minutes: Annotated[float, typer.Option(help="How long, about.")] = 30.0,
    only: Annotated[Part | None, typer.Option(help="One part, for all of the time.")] = None,
    seed: Annotated[
        int,
        typer.Option(help="Draws the moments of the kills; a seed repeats the draw, though not the machine's timing."),
    ] = 0,
) -> None:
    """Kill, read, flip bits and deliver bad input for ``minutes``, and print what was reached."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    luck, tally, since = random.Random(seed or time.time_ns()), Tally(), time.monotonic()
    end = since
    with tempfile.TemporaryDirectory(prefix="titans-soak-") as name:
        for part, share in ({only: 1.0} if only else _SHARES).items():
            console.print(f"{_TITLES[part]}, {share * minutes:.0f} minutes ...")
            end += 60 * minutes * share
            _PARTS[part](Path(name) / part, end, tally, luck)
    _show(console, tally, (time.monotonic() - since) / 60)
    if not tally.is_clean:
        raise typer.Exit(1)


def _read(folder: Path, end: float, tally: Tally, luck: random.Random) -> None:
    clients, seconds = OWN_CLIENTS + FOREIGN_CLIENTS, end - time.monotonic()
    read_while_publishing(folder / "early", clients, seconds / 4, tally, is_early=True)
    read_while_publishing(folder / "present", clients, seconds * 3 / 4, tally)


def _kill_airflow(folder: Path, end: float, tally: Tally, luck: random.Random) -> None:
    runs = RunKiller(folder, tally, luck)
    if runs.missing:
        tally.skipped["kills of the whole of Airflow on the real prices"] = runs.missing
        return
    runs.prepare()
    while time.monotonic() < end:
        runs.round()


def _deliver_bad_input(folder: Path, end: float, tally: Tally, luck: random.Random) -> None:
    try_bad_input(folder, end - time.monotonic(), tally, luck)


def _flip_bits(folder: Path, end: float, tally: Tally, luck: random.Random) -> None:
    number = 0
    while number == 0 or time.monotonic() < end:
        number += 1
        flip_bits(folder / str(number), _FLIPS, tally, luck)


def _kill_stages(folder: Path, end: float, tally: Tally, luck: random.Random) -> None:
    stages = StageKiller(folder, tally, luck)
    stages.prepare()
    while time.monotonic() < end:
        stages.round(_KILLS_A_ROUND)


def _deliver_daily(folder: Path, end: float, tally: Tally, luck: random.Random) -> None:
    deliver_daily(folder, end - time.monotonic(), tally)


_TITLES = {
    Part.READERS: "Readers while publishing",
    Part.AIRFLOW: "The whole of Airflow killed",
    Part.BAD_INPUT: "Bad input",
    Part.BIT_FLIPS: "Single bits flipped",
    Part.STAGES: "Single stages killed",
    Part.DAYS: "Daily deliveries",
}
_PARTS: dict[Part, Callable[[Path, float, Tally, random.Random], None]] = {
    Part.READERS: _read,
    Part.AIRFLOW: _kill_airflow,
    Part.BAD_INPUT: _deliver_bad_input,
    Part.BIT_FLIPS: _flip_bits,
    Part.STAGES: _kill_stages,
    Part.DAYS: _deliver_daily,
}


def _show(console: Console, tally: Tally, minutes: float) -> None:
    table = Table(title=f"{minutes:.0f} minutes")
    table.add_column("what")
    table.add_column("count", justify="right")
    for what, count in sorted(tally.done.items()):
        table.add_row(what, f"{count:,}")
    for kind in ("lost", "wrong", "torn"):
        table.add_row(f"[bold]{kind}", str(len(getattr(tally, kind))))
    console.print(table)
    for title, (headings, *rows) in tally.tables.items():
        figures = Table(*headings, title=title, box=None)
        for row in rows:
            figures.add_row(*row)
        console.print(figures)
    for what, reason in tally.skipped.items():
        console.print(f"Skipped: {what}: {reason}")
    for finding in tally.findings:
        console.print(finding, style="red", soft_wrap=True)


if __name__ == "__main__":
    typer.run(soak)
