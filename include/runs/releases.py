"""Releases from quarantine, each a JSON file beside the run records."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime
from typing import Any

from include.files import write_whole
from include.runs.records import run_records
from include.settings import Settings


def quarantined_units(settings: Settings) -> list[dict[str, Any]]:
    """Units (batch, dataset, symbol, reasons) in quarantine after the last build that judged any."""
    for record in reversed(run_records(settings, "build_marts")):
        step = record.step("check_raw")
        if step is not None and "quarantined" in step.facts:
            released = {(row["batch_id"], row["symbol"]) for row in releases(settings)}
            return [unit for unit in step.facts["quarantined"] if (unit["batch_id"], unit["symbol"]) not in released]
    return []


def releases(settings: Settings) -> list[dict[str, Any]]:
    """Releases from quarantine on record: batch_id, symbol, reason, released_at."""
    rows = []
    for path in sorted((settings.runs_dir / "releases").glob("*.json")):
        with contextlib.suppress(OSError, ValueError):  # its unit stays in quarantine, and make status names the file
            rows.append(json.loads(path.read_text()))
    return rows


def record_release(settings: Settings, batch_id: str, symbol: str, reason: str) -> None:
    """Put a release on record; the next build acts on it."""
    row = {"batch_id": batch_id, "symbol": symbol, "reason": reason, "released_at": datetime.now(UTC).isoformat()}
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{batch_id}.{symbol}")
    write_whole(settings.runs_dir / "releases" / f"{name}.json", json.dumps(row))
