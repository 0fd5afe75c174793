"""Days fetched in another order, in windows that overlap, end in the same marts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from include.ingest.plan import TriggerParams
from include.settings import Settings, load_settings
from tests.pipeline import different_marts, ingest_all, judge, own_build


@own_build
def test_windows_in_another_order_end_in_equal_marts(built_sample_store: Settings, tmp_path: Path) -> None:
    """The last weeks first, then the years before them, overlapping; each loaded and judged. The shared store fetched everything at once."""
    settings = load_settings(data_dir=str(tmp_path))
    for start, end in ((date(2025, 2, 3), date(2025, 3, 7)), (date(2015, 1, 1), date(2025, 2, 14))):
        ingest_all(settings, wish=TriggerParams(start=start, end=end))
        judge(settings)
    assert different_marts(settings, built_sample_store.published.link.resolve()) == []
