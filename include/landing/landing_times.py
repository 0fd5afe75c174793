"""When landing files of early versions landed. Their manifests do not say so, and a landing file is never rewritten."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.errors import Runbook, TitansError
from include.files import write_whole
from include.locks import exclusive
from include.paths import StorePaths

_PATIENCE_SECONDS = 60.0


def landing_times(store: StorePaths, paths: Mapping[str, Path]) -> dict[str, datetime]:
    """When each of these files landed, by batch: as on record, and else by the file's own time, which goes on record.

    A file's time is that of its landing until somebody copies it. It is read once and kept in ``landing/landed_at.json``,
    so that the order of versions is the same in every later rebuild, also from a copy of the data folder. No two batches
    get one time.

    Raises:
        TitansError: the record cannot be read or written.
    """
    record = store.landing / "landed_at.json"
    known = _read(record)
    if paths.keys() <= known.keys():
        return known
    refusal = "Another task is noting when older files landed: {who}. Try again."
    with exclusive(store.landing / ".landed_at.lock", "landing times", refusal, _PATIENCE_SECONDS):
        known = _read(record)
        taken = set(known.values())
        new = [(path.stat().st_mtime_ns, batch_id) for batch_id, path in paths.items() if batch_id not in known]
        for time_ns, batch_id in sorted(new):
            moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_ns // 1000)
            while moment in taken:
                moment += timedelta(microseconds=1)
            taken.add(moment)
            known[batch_id] = moment
        write_whole(record, json.dumps({batch_id: moment.isoformat() for batch_id, moment in known.items()}, indent=1))
    return known


def _read(record: Path) -> dict[str, datetime]:
    try:
        text = record.read_text(encoding="utf-8")
        return {batch_id: datetime.fromisoformat(moment) for batch_id, moment in json.loads(text).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise TitansError(
            f"{record} cannot be read ({error}): it says in which order older deliveries landed. Bring a copy of it "
            "back. If there is none, move it away: the times of the landing files are read again.",
            Runbook.BAD_INPUT,
        ) from error
