"""``make bench``: what a run costs, part by part: the sample through Airflow, and a made-up world of any size."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from include.errors import TitansError
from include.limits import machine_memory
from titans.bench.measure import Cost, Limits, run_apart
from titans.bench.parts import (
    BY_HAND,
    COPY,
    DELIVERED,
    DELTA,
    GATE_1,
    GATE_2,
    MODELS,
    PUBLISH,
    READERS,
    REPORT,
    TRANSFORM,
    WHOLE_EXPORT,
    Part,
    of_day,
    own_environment,
    run_parts,
)
from titans.bench.world import World
from titans.output import console, errors

_LINE = re.compile(r"^\S (?P<part>\w[\w ]*?) +(?P<seconds>\d+\.\d) s ")
_GIB = 2.0**30
_NOTE = 60
"""Characters of what failed that a table has room for. The end of the command has all of it."""
_DAYS_A_YEAR = 250
_BYTES_A_ROW, _BYTES_A_MEMBER_DAY = 1_000, 600
"""On disk, with all that is made of it: half of what was measured, so that nothing is refused that might fit."""


class Case(StrEnum):
    """What is measured."""

    SAMPLE = "sample"
    WORLD = "world"


def bench(
    symbols: Annotated[str, typer.Option(help="Equities of the made-up world; 100.")] = "",
    years: Annotated[str, typer.Option(help="Of history; 5.")] = "",
    baskets: Annotated[str, typer.Option(help="How many; 4.")] = "",
    members: Annotated[str, typer.Option(help="Equities in each basket at a time; 10.")] = "",
    minutes: Annotated[str, typer.Option(help="After which a part is stopped; 30.")] = "",
    memory: Annotated[str, typer.Option(help="GiB above which a part is stopped; half of the machine's.")] = "",
    only: Annotated[str, typer.Option(help="sample or world; both.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was measured as JSON.")] = False,
) -> None:
    """Measure a run part by part: the sample through Airflow, and a made-up world of any size."""
    cases = _cases(only)
    world = World(
        symbols=_number("SYMBOLS", symbols or "100"),
        years=_number("YEARS", years or "5"),
        baskets=_number("BASKETS", baskets or "4"),
        members=_number("MEMBERS", members or "10"),
    )
    gib = _number("MEMORY", memory) * _GIB if memory else machine_memory() // 2
    limits = Limits(memory=int(gib), seconds=60.0 * _number("MINUTES", minutes or "30"))
    # Stopped from outside it leaves nothing behind either.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    measured: dict[str, Any] = {"processors": os.cpu_count(), "memory_limit": limits.memory}
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="titans-bench-") as name:
        folder = Path(name)
        if Case.SAMPLE in cases:
            runs = [_run_sample(folder, limits, run) for run in ("first run", "second run")]
            measured["sample"] = [asdict(run) for run in runs]
            failed += [f"the sample, {run.title}: {run.cost.failed}" for run in runs if run.cost.failed]
            if not as_json:
                console.print(_sample_table(runs), "")
            shutil.rmtree(folder / "sample", ignore_errors=True)
        if Case.WORLD in cases:
            _refuse_too_large(world, folder)
            parts = _run_world(world, folder / "bench", limits)
            measured["world"] = {"size": asdict(world), "parts": [_part_facts(part) for part in parts]}
            failed += [f"{part.title}: {part.failed}" for part in parts if part.cost and part.failed]
            failed += [f"{mart} by hand is not what the models make" for mart in _unequal(parts)]
            if not as_json:
                for shown in _tables(world, limits, parts):
                    if shown is not None:
                        console.print(shown, "")
    if as_json:
        print(json.dumps(measured, indent=1))
    if failed:
        raise TitansError("Not everything could be measured: " + "; ".join(failed))


def _cases(only: str) -> list[Case]:
    if not only:
        return list(Case)
    try:
        return [Case(only)]
    except ValueError as error:
        raise TitansError(f"ONLY={only} is nothing to measure: give sample or world, or leave it away.") from error


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
        raise TitansError(f"{name}={text} is no whole number from 1 on: write it as in {name}=5.")
    return int(text)


def _refuse_too_large(world: World, folder: Path) -> None:
    """Refuse a world for which there is no room, before it takes an hour to find out.

    Raises:
        TitansError: names what it takes about, and what is free.
    """
    days = world.years * _DAYS_A_YEAR
    rows, member_days = (world.symbols + world.indices) * days, world.baskets * world.members * days
    wanted = (rows * _BYTES_A_ROW + member_days * _BYTES_A_MEMBER_DAY) / _GIB
    free = shutil.disk_usage(folder).free / _GIB
    if wanted > free:
        raise TitansError(
            f"A world of some {rows:,} price rows takes {wanted:.0f} GiB on disk or more, and {folder.parent} has "
            f"{free:.0f} GiB free: free space, give TMPDIR=<another folder>, or a smaller world."
        )


@dataclass(frozen=True)
class _SampleRun:
    title: str
    seconds: dict[str, float]
    cost: Cost


def _run_sample(folder: Path, limits: Limits, title: str) -> _SampleRun:
    """``make run`` on the sample, as a user would: Airflow and all."""
    log = folder / "sample.log"
    environment = own_environment() | {"TITANS_DATA_DIR": str(folder / "sample"), "TITANS_SOURCE": "sample"}
    cost = run_apart(["-m", "titans", "run"], environment, limits, log)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    seconds = {match["part"]: float(match["seconds"]) for line in lines if (match := _LINE.match(line))}
    return _SampleRun(title, seconds, cost)


def _sample_table(runs: list[_SampleRun]) -> Table:
    table = Table("the sample", *(run.title for run in runs), box=None, header_style="bold")
    for part in dict.fromkeys(part for run in runs for part in run.seconds):
        table.add_row(part, *(f"{run.seconds.get(part, 0):.1f} s" for run in runs))
    table.add_row("whole command", *(f"{run.cost.wall:.1f} s" for run in runs))
    table.add_row("its CPU", *(f"{run.cost.cpu:.1f} s" for run in runs))
    table.add_row("its peak memory", *(f"{run.cost.peak / _GIB:.2f} GiB" for run in runs))
    return table


def _run_world(world: World, folder: Path, limits: Limits) -> list[Part]:
    folder.mkdir()
    with errors.status("") as status:
        return list(run_parts(world, folder, limits, lambda title: status.update(f"{title} ...")))


def _tables(world: World, limits: Limits, parts: list[Part]) -> list[str | Table | None]:
    return [
        _title(world, limits),
        _parts_table(parts),
        _mart_table(parts),
        _beside_table(parts),
        _reader_table(parts),
    ]


def _title(world: World, limits: Limits) -> str:
    return (
        f"{world.symbols:,} symbols x {world.years} years, {world.baskets} baskets of {world.members}; "
        f"{os.cpu_count()} processors; a part may take {limits.memory / _GIB:.1f} GiB, {limits.seconds / 60:g} minutes"
    )


def _parts_table(parts: list[Part]) -> Table:
    table = Table("part", box=None, header_style="bold")
    for heading in ("wall", "CPU", "peak memory", "on disk", "rows a second"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for part in parts:
        if part.cost is None:
            table.add_row(part.title, "", "", "", "", "", f"[yellow]{part.failed}")
            continue
        cost = part.cost
        table.add_row(
            part.title,
            f"{cost.wall:.1f} s",
            f"{cost.cpu:.1f} s",
            f"{cost.peak / _GIB:.2f} GiB",
            f"{part.disk / _GIB:.2f} GiB",
            f"{part.rows / cost.wall:,.0f}" if part.rows and not cost.failed else "",
            f"[red]{escape(shorten(cost.failed, _NOTE))}" if cost.failed else escape(cost.facts.get("note", "")),
        )
    return table


def _mart_table(parts: list[Part]) -> Table | None:
    """Marts beside SQL by hand; None where either did not end."""
    models, by_hand = (_cost_of(parts, title) for title in (MODELS, BY_HAND))
    if models is None or by_hand is None:
        return None
    table = Table("mart", box=None, header_style="bold")
    for heading in ("models", "their CPU", "by hand", "ratio"):
        table.add_column(heading, justify="right")
    table.add_column("equal to 1e-9")
    sums = [0.0, 0.0]
    for mart, facts in by_hand.facts["marts"].items():
        own = models.facts["marts"][mart]
        sums = [sums[0] + own["cpu"], sums[1] + facts["cpu"]]
        equal = "yes" if facts["is_equal"] else "[red]no"
        count = str(len(own["models"]))
        table.add_row(mart, count, *_seconds(own["cpu"], facts["cpu"]), f"{own['cpu'] / facts['cpu']:.2f}", equal)
    table.add_row("all five", "", *_seconds(*sums), f"{sums[0] / sums[1]:.2f}", f"on {by_hand.facts['limits']}")
    return table


def _beside_table(parts: list[Part]) -> Table | None:
    """The CPU of some parts beside that of others, where all of them ended: what docs/SCALE.md has budgets for."""
    pairs: list[tuple[str, list[str], list[str], list[str]]] = [
        ("both gates, of the transform", [GATE_1, GATE_2], [], [TRANSFORM]),
        ("publish without its report, of one copy", [PUBLISH], [REPORT], [COPY]),
        *(
            (f"{day}, of its first run", [of_day(day, part) for part in DELIVERED], [], list(DELIVERED))
            for day in (DELTA, WHOLE_EXPORT)
        ),
    ]
    table = Table("CPU of some parts beside others", box=None, header_style="bold")
    for heading in ("", "", "share"):
        table.add_column(heading, justify="right")
    for title, some, less, others in pairs:
        costs = [[_cost_of(parts, part) for part in side] for side in (some, less, others)]
        if all(cost is not None for side in costs for cost in side):
            whole, without, other = (sum(cost.cpu for cost in side if cost) for side in costs)
            one = whole - without
            table.add_row(title, *_seconds(one, other), f"{one / other:.0%}")
    return table if table.row_count else None


def _reader_table(parts: list[Part]) -> Table | None:
    """The queries of docs/QUERIES.md beside their budgets; None where they were not asked."""
    cost = _cost_of(parts, READERS)
    if cost is None:
        return None
    table = Table("readers' queries", box=None, header_style="bold")
    for heading in ("p50", "p95", "at most", "CPU", "rows"):
        table.add_column(heading, justify="right")
    for query in cost.facts["queries"]:
        p50, p95, budget, cpu = (f"{1000 * query[name]:,.0f} ms" for name in ("p50", "p95", "budget", "cpu"))
        late = "[yellow]" if query["p95"] > query["budget"] else ""
        table.add_row(escape(query["title"]), p50, f"{late}{p95}", budget, cpu, f"{query['rows']:,}")
    return table


def _seconds(*values: float) -> list[str]:
    return [f"{value:.2f} s" for value in values]


def _cost_of(parts: list[Part], title: str) -> Cost | None:
    cost = next(part.cost for part in parts if part.title == title)
    return cost if cost and not cost.failed else None


def _unequal(parts: list[Part]) -> list[str]:
    by_hand = _cost_of(parts, BY_HAND)
    return [mart for mart, facts in by_hand.facts["marts"].items() if not facts["is_equal"]] if by_hand else []


def _part_facts(part: Part) -> dict[str, Any]:
    return {**asdict(part), "failed": part.failed}
