"""A backup holds what cannot be fetched again, whole, and a restore brings all of it back that is missing."""

from __future__ import annotations

import os
import shutil
import tarfile
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from include.errors import TitansError
from include.landing.batches import BatchKey, BatchManifest, FetchWindow, land, read_manifest
from include.landing.index import LandingIndex
from include.production import SourceName
from include.settings import Settings, load_settings
from include.sources.base import SCHEMAS, Dataset, Extract
from tests.soak.bit_flips import make_early
from titans.__main__ import app
from titans.commands import restore
from titans.commands.backup import back_up
from titans.commands.restore import bring_back

DAY = date(2025, 3, 7)
FETCHED_AT = datetime(2025, 3, 8, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path / "data"), source="yahoo")


def land_shares(settings: Settings, number: int, source: SourceName = "yahoo") -> Path:
    rows = [{"symbol": "AAPL", "as_of": DAY, "shares_outstanding": 1e9 + number, "basis_date": DAY}]
    extract = Extract(pa.Table.from_pylist(rows, schema=SCHEMAS[Dataset.SHARES]), FETCHED_AT)
    window = FetchWindow(symbol="AAPL", start=None, end=DAY, rows=1, first=DAY, last=DAY)
    key = BatchKey(Dataset.SHARES, "all", 1, f"run{number}", 1)
    return land(settings.store_of(source), key, extract, [window])


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_two_restores_at_once_bring_everything_back(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second removed what the first was writing, and the first ended in "No such file or directory"."""
    paths = [land_shares(settings, number) for number in range(2)]
    saved = back_up(settings)
    shutil.rmtree(settings.data_dir)
    second = threading.Thread(target=lambda: others.append(bring_back(settings, str(saved))))
    others: list[restore.Restored] = []

    def paused(path: Path) -> BatchManifest:
        if not second.is_alive() and not others:
            second.start()
            second.join(0.5)
        return read_manifest(path)

    monkeypatch.setattr(restore, "read_manifest", paused)
    first = bring_back(settings, str(saved))
    second.join(30)
    assert (sorted(first.files), others[0].files) == (sorted(paths), [])
    assert len(LandingIndex(settings.store).batches()) == 2


def test_a_snapshot_that_is_damaged_is_named_and_costs_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restore ended at the damaged one, and what came after it stayed in the backup."""
    paths = sorted(land_shares(settings, number) for number in range(3))
    damage(paths[0])
    monkeypatch.setenv("TITANS_DATA_DIR", str(settings.data_dir))
    saving = CliRunner().invoke(app, ["backup"], env={"COLUMNS": "1000"})
    assert saving.exit_code == 1
    assert f"Landing file {paths[0]}" in saving.output
    (saved,) = (settings.data_dir.parent / "backups").iterdir()
    shutil.rmtree(settings.data_dir)
    restoring = CliRunner().invoke(app, ["restore", str(saved)], env={"COLUMNS": "1000"})
    assert restoring.exit_code == 1
    assert "Restored 2 files" in restoring.output
    assert f"left out: {paths[0].name}" in restoring.output
    assert [batch.path for batch in LandingIndex(settings.store).batches()] == paths[1:]


def test_what_is_there_and_differs_is_named_and_stays(settings: Settings) -> None:
    """A damaged snapshot was passed over without a word, and the restore had nothing to do."""
    path = land_shares(settings, 0)
    saved = back_up(settings)
    whole = path.read_bytes()
    damage(path)
    restored = bring_back(settings, str(saved))
    assert (restored.files, restored.different) == ([], [path.name])
    assert "must be moved away first" in restored.lines(settings)[1]
    assert path.read_bytes() != whole
    path.unlink()
    assert bring_back(settings, str(saved)).files == [path]
    assert path.read_bytes() == whole


def test_a_restore_prints_the_command_of_what_it_brought_back(settings: Settings) -> None:
    """It was a bare make run, which builds the sample in an empty folder."""
    land_shares(settings, 0, "sample")
    sample = back_up(settings)
    land_shares(settings, 0, "files")
    both = back_up(settings)
    for saved, command in ((sample, "make run"), (both, "make run SOURCE=files FILES=DIR")):
        shutil.rmtree(settings.data_dir)
        line = bring_back(settings, str(saved)).lines(settings)[0]
        assert line.endswith(f"The next build loads them: {command} DATA={settings.data_dir}.")


def test_a_snapshot_that_lies_on_another_disk_is_in_the_backup(settings: Settings, tmp_path: Path) -> None:
    """The backup held the link, and a restore brought nothing back."""
    path = land_shares(settings, 0)
    whole = path.read_bytes()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    saved = back_up(settings)
    with tarfile.open(saved) as archive:
        member = archive.extractfile(f"data/{path.relative_to(settings.data_dir)}")
        assert member is not None
        assert member.read() == whole


def test_snapshots_of_early_versions_keep_their_order(settings: Settings) -> None:
    """Of a folder that was copied, files have the times of the copy; the order is on record."""
    paths = [land_shares(settings, number) for number in range(3)]
    for number, path in enumerate(paths):
        make_early(path)
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    before = [batch.manifest.version for batch in LandingIndex(settings.store).batches()]
    for number, path in enumerate(paths):
        os.utime(path, (1_800_000_000 - number, 1_800_000_000 - number))
    saved = back_up(settings)
    shutil.rmtree(settings.data_dir)
    bring_back(settings, str(saved))
    batches = LandingIndex(settings.store).batches()
    assert [batch.path for batch in batches] == paths
    assert [batch.manifest.version for batch in batches] == before


def test_what_cannot_be_read_is_no_full_disk(settings: Settings) -> None:
    folder = settings.store.landing / "shares"
    folder.parent.mkdir(parents=True)
    folder.write_text("")
    with pytest.raises(TitansError, match=rf"cannot be written\. {folder} cannot be read or written"):
        back_up(settings)
