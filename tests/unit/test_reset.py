"""``make reset`` removes nothing under a run that is at work."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import TitansError
from include.raw.lock import writer_lock
from include.settings import load_settings
from titans.commands.reset import remove_data


def test_a_build_of_a_server_is_waited_for(tmp_path: Path) -> None:
    """Its Airflow has no folder in the data folder. The build went on and published from what was left."""
    settings = load_settings(data_dir=str(tmp_path / "data"), source="files")
    landing = settings.store.landing
    landing.mkdir(parents=True)
    with (
        writer_lock(settings.store.warehouse, "build_marts"),
        pytest.raises(TitansError, match=r"build_marts \(process"),
    ):
        remove_data(settings, "yes")
    assert landing.exists()
    remove_data(settings, "yes")
    assert not landing.exists()
