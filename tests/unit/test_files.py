"""Files that are replaced in one step: whole or as before, with nothing left beside them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from include.errors import TitansError
from include.files import READ_ONLY, files_in, replacing, write_whole
from include.landing.index import LandingIndex
from include.settings import load_settings
from titans.commands.backup import back_up


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is brought to the disk or moved, in its order."""
    found: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        (path,) = (each for each in tmp_path.rglob("*") if os.path.samestat(each.stat(), os.fstat(descriptor)))
        found.append(f"sync {path.name}")
        real_sync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        found.append(f"replace {target.name}")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    return found


def test_the_file_is_synced_before_it_moves_and_the_folder_after(tmp_path: Path, synced: list[str]) -> None:
    write_whole(tmp_path / "folder" / "a.json", "{}")
    assert synced == ["sync .a.json.tmp", "replace a.json", "sync folder"]


def test_a_reader_sees_the_old_content_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "old")
    with replacing(path) as temporary:
        temporary.write_text("ne")
        assert path.read_text() == "old"
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("in_its_place", ["a link to a disk that is not mounted", "a file"])
def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(tmp_path: Path, in_its_place: str) -> None:
    """It was: a build went without these deliveries, and a backup without these files."""
    settings = load_settings(data_dir=str(tmp_path / "data"))
    folder = settings.store.landing / "estimates"
    assert files_in(folder, ".parquet") == []
    folder.parent.mkdir(parents=True)
    folder.symlink_to("/not/mounted") if "link" in in_its_place else folder.write_text("")
    with pytest.raises(OSError, match="estimates"):
        LandingIndex(settings.store).batches()
    with pytest.raises(TitansError, match=r"cannot be written.*estimates"):
        back_up(settings)


def _write_half(temporary: Path) -> None:
    temporary.write_text("half")
    raise ValueError("stop")


def _write_half_a_database(temporary: Path) -> None:
    connection = duckdb.connect(str(temporary))
    connection.execute("create table numbers as select range from range(10)")
    assert temporary.with_name(f"{temporary.name}.wal").exists(), "the test means a database with a log beside it"
    raise ValueError("stop")


def _write_nothing(_: Path) -> None:
    raise ValueError("stop")


@pytest.mark.parametrize("write", [_write_half, _write_half_a_database, _write_nothing])
def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "old")
    with pytest.raises(ValueError, match="stop"), replacing(path) as temporary:
        write(temporary)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_not_taken_over(tmp_path: Path) -> None:
    for name in (".a.duckdb.tmp", ".a.duckdb.tmp.wal"):
        (tmp_path / name).write_text("left by a killed process")
    with replacing(tmp_path / "a.duckdb") as temporary, duckdb.connect(str(temporary)) as connection:
        connection.execute("create table numbers as select 1 as one")
    assert [each.name for each in tmp_path.iterdir()] == ["a.duckdb"]
    with duckdb.connect(str(tmp_path / "a.duckdb"), read_only=True) as connection:
        assert connection.execute("from numbers").fetchall() == [(1,)]


@pytest.mark.parametrize("mode", [0o644, READ_ONLY, 0o600], ids=oct)
def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path, umask: None, mode: int) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "secret", mode)
    with replacing(tmp_path / "b.txt", mode) as temporary:
        temporary.touch()
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.txt", "b.txt")] == [mode, mode]


def test_a_secret_is_private_from_its_first_byte(tmp_path: Path, umask: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = Path.chmod

    def chmod(self: Path, mode: int) -> None:
        seen.append(stat.S_IMODE(self.stat().st_mode))
        real(self, mode)

    monkeypatch.setattr(Path, "chmod", chmod)
    write_whole(tmp_path / "passwords.json", "secret", 0o600)
    assert seen == [0o600]
