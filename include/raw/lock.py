"""One build at a time: the guard of the warehouse file."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from include.errors import Runbook
from include.locks import exclusive

WRITER_POOL = "duckdb_writer"
"""Airflow's pool of one slot, in which the tasks of builds queue."""


PATIENCE_SECONDS = 600.0
"""A build that finds another's step under way waits for it. Also the longest that a command may hold the lock."""


def writer_lock(warehouse: Path, holder: str, patience_seconds: float | None = None) -> AbstractContextManager[None]:
    """Hold the only right to open ``warehouse`` for the time of the block.

    Args:
        patience_seconds: how long to wait for another holder; default, ``PATIENCE_SECONDS``.

    Raises:
        TitansError: another process holds it for longer; names it and since when.
    """
    patience = PATIENCE_SECONDS if patience_seconds is None else patience_seconds
    refusal = f"Another build is writing {warehouse}: {{who}}. Wait for it to end, then run again; nothing was changed."
    return exclusive(warehouse.with_suffix(".lock"), holder, refusal, patience, Runbook.WAREHOUSE_LOCKED)
