"""What run records say of quarantine, and releases from it, each a JSON file beside the run records."""

from __future__ import annotations

import contextlib
import hashlib
import re
from datetime import UTC, datetime

from include.files import files_in, write_whole
from include.paths import StorePaths
from include.raw.units import Quarantine, QuarantinedUnit, Release
from include.runs.facts import CheckRawFacts
from include.runs.records import RunRecord, run_records
from include.sealed import DamagedError, read_sealed, seal


def quarantined_units(store: StorePaths) -> list[QuarantinedUnit]:
    """Units in quarantine after the last build that judged any."""
    for record in reversed(run_records(store, "build_marts")):
        step = record.step("check_raw")
        if step is not None and isinstance(step.facts, CheckRawFacts):
            released = {(release.batch_id, release.symbol) for release in releases(store)}
            return [unit for unit in step.facts.quarantined if (unit.batch_id, unit.symbol) not in released]
    return []


def quarantines(store: StorePaths) -> list[Quarantine]:
    """Every unit that a build on record put into quarantine, with the time of the first such build."""
    return [Quarantine(unit=unit, decided_at=record.ended_at) for unit, record in _first_quarantined(store)]


def kept_out(store: StorePaths) -> set[tuple[str, str]]:
    """Units (batch and symbol) that were put into quarantine and that nobody released, healed since or not."""
    released = {(release.batch_id, release.symbol) for release in releases(store)}
    return {(unit.batch_id, unit.symbol) for unit, _ in _first_quarantined(store)} - released


def quarantining_runs(store: StorePaths) -> set[str]:
    """Runs whose records ``quarantines`` rests on: they were the first to put a unit into quarantine."""
    return {record.run_id for _, record in _first_quarantined(store)}


def _first_quarantined(store: StorePaths) -> list[tuple[QuarantinedUnit, RunRecord]]:
    first: dict[tuple[str, str], tuple[QuarantinedUnit, RunRecord]] = {}
    for record in run_records(store, "build_marts"):
        for unit in record.facts(CheckRawFacts).quarantined:
            first.setdefault((unit.batch_id, unit.symbol), (unit, record))
    return list(first.values())


def releases(store: StorePaths) -> list[Release]:
    """Releases on record. A damaged one is passed over, and its unit stays in quarantine; ``make status`` names it."""
    found = []
    for path in files_in(store.releases, ".json"):
        with contextlib.suppress(FileNotFoundError, DamagedError):
            found.append(read_sealed(Release, path))
    return found


def record_release(store: StorePaths, batch_id: str, symbol: str, reason: str) -> None:
    """Put a release on record; the next build acts on it."""
    release = Release(batch_id=batch_id, symbol=symbol, reason=reason, released_at=datetime.now(UTC))
    unit = f"{batch_id}.{symbol}"
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", unit)
    if name != unit:  # BRK/B is not BRK-B
        name += f".{hashlib.sha256(unit.encode()).hexdigest()[:8]}"
    write_whole(store.releases / f"{name}.json", seal(release))
