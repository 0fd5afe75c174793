"""``make bench`` on a tiny world: every part runs, and SQL by hand makes what the models make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from include.settings import PROJECT_ROOT
from titans.bench.parts import BY_HAND, MODELS, STEPS
from titans.bench.ratios import MARTS


def test_every_part_of_a_tiny_world_is_measured(tmp_path: Path) -> None:
    size = ["--symbols", "40", "--years", "2", "--baskets", "5", "--members", "6"]
    result = subprocess.run(
        [sys.executable, "-m", "titans", "bench", "--only", "world", "--json", *size],
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
    assert parts["day after, delta: load"]["cost"]["facts"]["note"].endswith(" 0 unchanged")
    assert list(tmp_path.iterdir()) == []
