"""``make bench`` on a tiny world: every part runs, and SQL by hand makes what the models make."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its types are no dependency
import pytest

from include.settings import PROJECT_ROOT
from titans.bench.parts import BY_HAND, MODELS, READERS, STEPS
from titans.bench.ratios import MARTS
from titans.bench.readers import PAGE, read_queries

COMMAND = [sys.executable, "-m", "titans", "bench", "--only", "world"]


def test_every_part_of_a_tiny_world_is_measured(tmp_path: Path) -> None:
    size = ["--symbols", "40", "--years", "2", "--baskets", "5", "--members", "6"]
    result = subprocess.run(
        [*COMMAND, "--json", *size],
        cwd=PROJECT_ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "TITANS_DATA_DIR": str(tmp_path / "never"), "TITANS_SOURCE": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    parts = {part["title"]: part for part in json.loads(result.stdout)["world"]["parts"]}
    assert list(parts) == [step.title for step in STEPS]
    for title, part in parts.items():
        assert part["failed"] is None, title
        assert part["cost"]["cpu"] > 0.1
        assert part["cost"]["peak"] > 50 * 2**20
    models, by_hand = (parts[title]["cost"]["facts"]["marts"] for title in (MODELS, BY_HAND))
    assert list(models) == list(by_hand) == list(MARTS)
    assert all(by_hand[mart]["is_equal"] for mart in MARTS)
    counted = [model for mart in models.values() for model in mart["models"]]
    assert len(counted) == len(set(counted))
    assert set(MARTS) <= set(counted)
    asked = parts[READERS]["cost"]["facts"]["queries"]
    assert [query["title"] for query in asked] == [
        query.title for query in read_queries(PAGE.read_text(encoding="utf-8"))
    ]
    # The world has stand-ins for the basket, the pair and the symbol that the page names: each answer has rows.
    assert all(query["rows"] for query in asked if query["budget"] < 1)
    assert parts["day after, delta: load"]["cost"]["facts"]["note"].endswith(" 0 unchanged")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_bench_that_is_stopped_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """No folder, and no process of the part that it was at."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    bench = subprocess.Popen(
        COMMAND,
        cwd=PROJECT_ROOT,
        env=environment,
        stderr=subprocess.DEVNULL,
        # A shell's background job ignores it, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + 60
    parts: list[psutil.Process] = []
    while not parts and time.monotonic() < until:
        time.sleep(0.1)
        parts = psutil.Process(bench.pid).children()
    bench.send_signal(number)
    assert bench.wait(30) != 0
    assert parts
    assert not any(part.is_running() for part in parts)
    assert list(tmp_path.iterdir()) == []
