"""When ``make superset`` serves nothing, and says why. A browser looks at what it serves in make verify."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from include.errors import TitansError
from include.settings import load_settings
from titans.commands.superset import superset


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TITANS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_nothing_published_is_said(data_dir: Path) -> None:
    with pytest.raises(TitansError, match=r"Nothing is published in .*: make run DATA="):
        superset()
    assert not (data_dir / "superset").exists()


def test_what_an_earlier_version_published_has_no_dashboard(data_dir: Path) -> None:
    published = load_settings(data_dir=str(data_dir)).published
    file = published.file("20250307T000000.000000Z-abc")
    file.parent.mkdir(parents=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema marts; create table marts.dim_baskets as select 1 as one")
    (published.folder / "current").symlink_to(f"generations/{file.parent.name}")
    published.link.symlink_to("current/titans.duckdb")
    with pytest.raises(TitansError, match="without schema reports, which the dashboard draws: make build DATA="):
        superset()


@pytest.mark.parametrize("port", ["0", "65536", "80a", "-1", ""])
def test_a_port_that_is_none_is_refused(data_dir: Path, port: str) -> None:
    with pytest.raises(TitansError, match="give a port from 1 to 65535, make superset PORT=8090"):
        superset(port)
