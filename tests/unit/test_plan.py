"""Batches of an ingest run."""

from __future__ import annotations

from datetime import date

from include.ingest.plan import TriggerParams, _batches
from include.sources.base import Dataset


def test_many_symbols_make_larger_batches_not_more() -> None:
    """Airflow maps 1,024 tasks at most; estimates and share counts come in one run."""
    old, new = (None, date(2025, 3, 7)), (date(2025, 2, 21), date(2025, 3, 7))
    windows = {old: [f"S{number}" for number in range(50_000)], new: ["LATE"]}
    batches = _batches(Dataset.SHARES, "all", windows, TriggerParams(), 25, None)
    assert len(batches) <= 502
    assert [symbol for batch in batches for symbol in batch.symbols] == windows[old] + windows[new]
    few = _batches(Dataset.SHARES, "all", {old: windows[old][:60]}, TriggerParams(), 25, None)
    assert [len(batch.symbols) for batch in few] == [25, 25, 10]
