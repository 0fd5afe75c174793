"""Which answers an interrupted ``make run`` or ingest run left behind, to be taken over by the next one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from include.files import write_whole
from include.paths import StorePaths
from include.runs.records import is_complete, run_records


def broken_off_since(store: StorePaths, dag_id: str) -> datetime:
    """From when on what the DAG landed belongs to work that broke off: its own, or a ``make run`` of all DAGs."""
    ends = [record.ended_at for record in run_records(store, dag_id) if record.dag_id == dag_id and is_complete(record)]
    own = max(ends, default=datetime.min.replace(tzinfo=UTC))
    try:
        return min(own, datetime.fromisoformat(_round_path(store).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # also a time without a zone, which no run writes
        return own


def begin_round(store: StorePaths) -> None:
    """Note that all ingest DAGs are run as one, unless an earlier round broke off and goes on with this one."""
    if not _round_path(store).exists():
        write_whole(_round_path(store), datetime.now(UTC).isoformat())


def end_round(store: StorePaths) -> None:
    """All of them have completed: the next round asks for everything again."""
    _round_path(store).unlink(missing_ok=True)


def _round_path(store: StorePaths) -> Path:
    return store.runs / "make-run.since"
