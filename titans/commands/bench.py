"""``make bench``: how long a run takes, from nothing and again, part by part."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time

from rich.table import Table

from include.errors import TitansError
from include.settings import PROJECT_ROOT
from titans.output import console

_LINE = re.compile(r"^\S (?P<part>\w[\w ]*?) +(?P<seconds>\d+\.\d) s ")


def bench() -> None:
    """Time a run from nothing and a second one, part by part."""
    # In processes and a data folder of their own, as a user would.
    with tempfile.TemporaryDirectory() as folder:
        runs = [_run(folder) for _ in range(2)]
    table = Table("part", "first run", "second run", box=None, header_style="bold")
    for part in runs[0]:
        table.add_row(part, *[f"{run.get(part, 0):.1f} s" for run in runs])
    console.print(table)


def _run(folder: str) -> dict[str, float]:
    started = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "titans", "run"],
        cwd=PROJECT_ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT_ROOT), "TITANS_DATA_DIR": folder},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if result.returncode:
        raise TitansError(f"The run failed: {result.stderr.strip()}")
    parts = {
        match["part"]: float(match["seconds"]) for line in result.stdout.splitlines() if (match := _LINE.match(line))
    }
    return {**parts, "whole command": time.monotonic() - started}
