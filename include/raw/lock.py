"""One build at a time: the guard of the warehouse file."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from include.errors import Runbook
from include.locks import exclusive

WRITER_POOL = "duckdb_writer"
"""Airflow's pool of one slot, in which the tasks of builds queue."""


def writer_lock(warehouse: Path, holder: str, patience_seconds: float = 0.0) -> AbstractContextManager[None]:
    """Hold the only right to open ``warehouse`` for the time of the block.

    Raises:
        TitansError: another process holds it; names it and since when.
    """
    refusal = f"Another build is writing {warehouse}: {{who}}. Wait for it to end, then run again; nothing was changed."
    return exclusive(warehouse.with_suffix(".lock"), holder, refusal, patience_seconds, Runbook.WAREHOUSE_LOCKED)
