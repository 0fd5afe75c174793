"""``make soak MINUTES=30``: kills, readers and bad input for that long, then what they reached; ends red if anything was lost, wrong or torn."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.soak.airflow_kills import RunKiller
from tests.soak.bad_input import try_bad_input
from tests.soak.readers import FOREIGN_CLIENTS, OWN_CLIENTS, read_while_publishing
from tests.soak.stage_kills import StageKiller
from tests.soak.tally import Tally

_SHARES = {"readers": 0.12, "airflow": 0.25, "bad input": 0.18}
"""Of the time; the rest is for kills of single stages."""
_KILLS_A_ROUND = 8


def soak(
    minutes: Annotated[float, typer.Option(help="How long, about.")] = 30.0,
    seed: Annotated[
        int, typer.Option(help="Draws the moments of the kills; a seed repeats the draw, though not the machine's timing.")
    ] = 0,
) -> None:
    """Kill, read and deliver bad input for ``minutes``, and print what was reached."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    luck, tally, since = random.Random(seed or time.time_ns()), Tally(), time.monotonic()
    total = 60 * minutes
    with tempfile.TemporaryDirectory(prefix="titans-soak-") as name:
        folder = Path(name)
        console.print(f"Readers while publishing, {_SHARES['readers'] * minutes:.0f} minutes ...")
        read_while_publishing(folder / "readers", OWN_CLIENTS + FOREIGN_CLIENTS, _SHARES["readers"] * total, tally)
        runs = RunKiller(folder / "airflow", tally, luck)
        if runs.missing:
            tally.skipped["kills of the whole of Airflow on the real prices"] = runs.missing
        else:
            console.print(f"The whole of Airflow killed, {_SHARES['airflow'] * minutes:.0f} minutes ...")
            runs.prepare()
            end = since + (_SHARES["readers"] + _SHARES["airflow"]) * total
            while time.monotonic() < end:
                runs.round()
        console.print(f"Bad input, {_SHARES['bad input'] * minutes:.0f} minutes ...")
        try_bad_input(folder / "bad", _SHARES["bad input"] * total, tally, luck)
        console.print("Single stages killed, for the rest of the time ...")
        stages = StageKiller(folder / "stages", tally, luck)
        stages.prepare()
        while time.monotonic() < since + total:
            stages.round(_KILLS_A_ROUND)
    _show(console, tally, (time.monotonic() - since) / 60)
    if not tally.is_clean:
        raise typer.Exit(1)


def _show(console: Console, tally: Tally, minutes: float) -> None:
    table = Table(title=f"{minutes:.0f} minutes")
    table.add_column("what")
    table.add_column("count", justify="right")
    for what, count in sorted(tally.done.items()):
        table.add_row(what, f"{count:,}")
    for kind in ("lost", "wrong", "torn"):
        table.add_row(f"[bold]{kind}", str(len(getattr(tally, kind))))
    console.print(table)
    for what, reason in tally.skipped.items():
        console.print(f"Skipped: {what}: {reason}")
    for finding in tally.findings:
        console.print(finding, style="red", soft_wrap=True)


if __name__ == "__main__":
    typer.run(soak)
