"""Whoever moves the link reads its state inside the lock; what is damaged is never taken for absent."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import duckdb
import pytest
from typer.testing import CliRunner

from include.errors import Runbook, TitansError
from include.paths import PublishedPaths
from include.production import Production, write_production
from include.publishing import generations, publish, rollback
from include.publishing.changes import read_last
from include.publishing.retention import prune
from include.publishing.rollback import release_hold, roll_back
from include.settings import Settings
from tests.published_folder import add_generation
from tests.soak.publisher import publish_for, settings_of
from titans.__main__ import app
from titans.commands.status import is_red, status_lines

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


@pytest.fixture
def names(settings: Settings) -> list[str]:
    return [add_generation(settings.published, NOW - timedelta(hours=hours)) for hours in (5, 4, 3, 2)]


def linked(settings: Settings) -> str | None:
    return generations.linked_generation(settings.published)


def before_the_lock(
    patch: pytest.MonkeyPatch, module: ModuleType, happens: Callable[[], object], turn: int = 1
) -> None:
    """Have something happen at the last moment before ``module`` gets the lock, as another process may: once."""
    lock, turns = generations.link_lock, []

    @contextmanager
    def paused(*arguments: object) -> Iterator[None]:
        turns.append(arguments)
        if len(turns) == turn:
            happens()
        with lock(*arguments):  # type: ignore[arg-type]  # as they came
            yield

    patch.setattr(module, "link_lock", paused)


def test_a_rollback_does_not_go_to_what_was_removed_meanwhile(
    settings: Settings, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_lock(monkeypatch, rollback, lambda: prune(settings.published, 1, LATER))
    with pytest.raises(TitansError, match="no generation of source sample before"):
        roll_back(settings.published, None)
    assert linked(settings) == names[-1]
    assert generations.hold(settings.published) is None


def test_a_rollback_goes_back_from_what_was_published_meanwhile(
    settings: Settings, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_lock(monkeypatch, rollback, lambda: add_generation(settings.published, NOW))
    newest = f"{NOW:%Y%m%dT%H%M%S.%fZ}-nogit"
    assert roll_back(settings.published, None) == (newest, names[-1])


def test_the_end_of_a_rollback_goes_to_what_was_published_meanwhile(
    settings: Settings, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It moved the link back to the generation before."""
    roll_back(settings.published, None)
    before_the_lock(monkeypatch, rollback, lambda: add_generation(settings.published, NOW, is_linked=False))
    newest = release_hold(settings.published)
    assert newest > names[-1]
    assert linked(settings) == newest


@pytest.mark.parametrize("turn", [1, 2], ids=["before it begins", "after its file is written"])
def test_a_rollback_during_a_publication_holds(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, turn: int
) -> None:
    publish_for(tmp_path, 0.01, 0)
    publish_for(tmp_path, 0.01, 0)
    first, _ = generations.names(settings.published)
    with monkeypatch.context() as patch:
        before_the_lock(patch, generations, lambda: roll_back(settings.published, first), turn)
        publish_for(tmp_path, 0.01, 0)
    assert len(generations.names(settings.published)) == 3
    assert linked(settings) == first


def test_a_damaged_hold_holds_and_nothing_is_removed(settings: Settings, tmp_path: Path) -> None:
    publish_for(tmp_path, 0.01, 0)
    before = linked(settings)
    roll_back(settings.published, before)
    settings.published.hold.write_bytes(b"\xff")
    for _ in range(2):
        publish_for(tmp_path, 0.01, 0)
    assert linked(settings) == before
    assert prune(settings.published, 1, LATER) == []
    shown = dict(status_lines(settings, NOW))
    assert shown["Held"].startswith(f"on what the link names: {settings.published.hold} cannot be read")
    newest = release_hold(settings.published)
    assert newest == generations.names(settings.published)[-1] == linked(settings)
    assert "Held" not in dict(status_lines(settings, NOW))


def test_a_damaged_manifest_never_removes_what_people_read(settings: Settings, names: list[str]) -> None:
    """The held generation's: the next publish deleted the file that people read."""
    roll_back(settings.published, names[0])
    manifest = settings.published.manifest(names[0])
    manifest.write_bytes(manifest.read_bytes().replace(b'"as_of": "2025', b'"as_of": "2024'))
    assert prune(settings.published, 1, LATER) == names[1:3]
    assert settings.published.link.read_text() == names[0]
    shown = dict(status_lines(settings, NOW))
    assert f"generation {names[0]}, which stays: {manifest} cannot be read (it does not hash" in shown["Damaged"]
    assert is_red(settings, NOW)


def test_a_rollback_without_the_manifest_of_the_linked_one_asks_for_a_name(
    settings: Settings, names: list[str]
) -> None:
    settings.published.manifest(names[-1]).write_bytes(b"\xff")
    with pytest.raises(TitansError, match=rf"cannot be read .*its source is not known.*{names[0]}.*TO=<generation>"):
        roll_back(settings.published, None)
    with pytest.raises(TitansError, match="nothing was moved"):
        roll_back(settings.published, names[-1])
    assert roll_back(settings.published, names[2]) == (names[-1], names[2])


def test_a_rollback_to_a_damaged_file_is_refused(settings: Settings, names: list[str]) -> None:
    file = settings.published.file(names[2])
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"nogit", b"nogis"))
    with pytest.raises(TitansError, match=r"titans\.duckdb does not hash to what was published: nothing was moved"):
        roll_back(settings.published, None)
    assert linked(settings) == names[-1]
    assert generations.hold(settings.published) is None


@pytest.mark.parametrize("part", ["file", "manifest"])
@pytest.mark.parametrize("damage", ["a bit", "cut short", "lost"])
def test_a_damaged_last_generation_does_not_block_its_replacement(
    settings: Settings, tmp_path: Path, part: str, damage: str
) -> None:
    publish_for(tmp_path, 0.01, 0)
    publish_for(tmp_path, 0.01, 0)
    first, last = generations.names(settings.published)
    path = getattr(settings.published, part)(last)
    path.chmod(0o644)
    content = path.read_bytes()
    if damage == "lost":
        path.unlink()
    else:
        middle = len(content) // 2
        path.write_bytes(
            content[:middle] + (b"" if damage == "cut short" else bytes([content[middle] ^ 4]) + content[middle + 1 :])
        )
    if (part, damage) != ("file", "lost"):
        shown = dict(status_lines(settings, NOW))
        assert str(path) in shown["Damaged"]
        assert shown["Damaged"].endswith(Runbook.PUBLISH_FAILED.path)
    publish_for(tmp_path, 0.01, 0)
    assert linked(settings) not in (first, last, None)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("titans.duckdb", "folder"), ("titans.duckdb", "file"), ("current", "folder"), ("current", "file"),
     ("generations", "file"), (".lock", "folder"), ("hold.json", "folder"), ("hold.json", "file")],
)  # fmt: skip
def test_what_stands_in_the_place_of_a_link_is_a_sentence(
    settings: Settings, tmp_path: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_generation(settings.published, NOW)
    path = settings.published.folder / name
    if path.is_dir() and not path.is_symlink():
        path.rename(tmp_path / "moved")
    else:
        path.unlink(missing_ok=True)
    path.mkdir() if kind == "folder" else path.write_text("{")
    monkeypatch.setenv("TITANS_DATA_DIR", str(tmp_path))
    for command in (["status"], ["rollback"], ["publish"], ["query", "select 1"]):
        result = CliRunner().invoke(app, command)
        assert isinstance(result.exception, SystemExit | None), command
        assert "Traceback" not in result.output
    if name == "hold.json":  # make publish ends the hold where it can
        assert path.exists() is (kind == "folder")
        return
    with pytest.raises(TitansError, match=re.escape(str(path))):
        publish_for(tmp_path, 0.01, 0)
    assert path.exists()


@pytest.mark.parametrize("lost", ["titans.duckdb", "current"])
def test_a_lost_link_is_set_again(settings: Settings, names: list[str], lost: str) -> None:
    """Status, rollback and builds ended in "No such file or directory"."""
    (settings.published.folder / lost).unlink()
    assert linked(settings) == (names[-1] if lost == "titans.duckdb" else None)
    assert status_lines(settings, NOW)[0][0] == "Published"
    if lost == "current":
        with pytest.raises(TitansError, match=r"leads to no generation.*make publish"):
            roll_back(settings.published, None)
    assert release_hold(settings.published) == names[-1]
    assert settings.published.link.read_text() == names[-1]


@pytest.mark.parametrize("link", ["titans.duckdb", "current"])
def test_what_a_person_has_linked_by_hand_is_what_people_read(settings: Settings, names: list[str], link: str) -> None:
    """It was taken for nothing: a build under a hold could remove it."""
    path = settings.published.folder / link
    path.unlink()
    by_hand = settings.published.file(names[0])
    path.symlink_to(by_hand if link == "titans.duckdb" else by_hand.parent)
    assert linked(settings) == names[0]
    assert prune(settings.published, 1, LATER) == names[1:3]
    assert settings.published.link.read_text() == names[0]


def test_of_a_generation_that_was_moved_to_another_disk_the_link_goes(
    settings: Settings, names: list[str], tmp_path: Path
) -> None:
    """The build that removed it ended red, with the link moved."""
    folder = settings.published.generations / names[0]
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert prune(settings.published, 1, LATER) == names[:3]
    assert (tmp_path / "elsewhere" / "titans.duckdb").read_text() == names[0]
    assert sorted(path.name for path in settings.published.generations.iterdir()) == [names[-1]]


def test_what_cannot_be_removed_fails_no_publication(
    settings: Settings, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generation that belongs to another user."""
    monkeypatch.setattr(os, "unlink", lambda *_, **__: _refuse())
    assert prune(settings.published, 1, LATER) == names[:3]
    assert generations.names(settings.published) == names[-1:]


def _refuse() -> None:
    raise PermissionError(13, os.strerror(13))


def test_the_end_of_a_rollback_from_a_damaged_generation_stays_with_the_folders_source(settings: Settings) -> None:
    """The newest generation of any source was taken."""
    write_production(settings.published.production, Production(source="yahoo", since=NOW))
    real = [add_generation(settings.published, NOW - timedelta(hours=hours), "yahoo") for hours in (4, 3)]
    add_generation(settings.published, NOW - timedelta(hours=2), "files", is_linked=False)
    settings.published.manifest(real[1]).write_bytes(b"\xff")
    assert release_hold(settings.published) == real[0]


def test_a_generation_that_is_removed_meanwhile_is_not_damaged(
    settings: Settings, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the listing of status and the reading of the manifest."""
    listed = generations.names

    def paused(published: PublishedPaths) -> list[str]:
        found = listed(published)
        with monkeypatch.context() as patch:
            patch.setattr(generations, "names", listed)
            prune(settings.published, 1, LATER)
        return found

    monkeypatch.setattr(generations, "names", paused)
    assert generations.damaged_generations(settings.published) == {}
    assert [manifest.generation for manifest in generations.manifests(settings.published)] == names[-1:]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (duckdb.IOException("IO Error: Cannot open file: Too many open files"), TitansError),
        (duckdb.OutOfMemoryException("failed to allocate"), duckdb.OutOfMemoryException),
    ],
)
def test_a_generation_that_cannot_be_read_now_is_not_passed_over(
    settings: Settings, names: list[str], error: Exception, expected: type[Exception]
) -> None:
    """The gate went on with an older one, or none: rows that were lost since passed."""

    def read(_: Path) -> None:
        raise error

    with pytest.raises(expected):
        read_last(settings.published, "sample", read)


def test_no_free_descriptor_is_no_missing_hold(
    settings: Settings, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    roll_back(settings.published, None)
    real = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "hold.json":
            raise OSError(24, os.strerror(24), str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(TitansError, match="Too many open files"):
        generations.hold(settings.published)
    with pytest.raises(TitansError, match="Too many open files"):
        prune(settings.published, 1, LATER)
    assert generations.names(settings.published) == names


def test_what_another_build_has_just_made_is_no_leftover(
    settings: Settings, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the listing and the look at its age: the build of another source was red, with its link moved."""
    published = settings.published
    begun = published.generations / ".yahoo-20270101T000000.000000Z-nogit"
    begun.mkdir()
    real = Path.lstat

    def paused(path: Path) -> os.stat_result:
        if path == begun:
            begun.rename(published.generations / begun.name.removeprefix(".yahoo-"))
        return real(path)

    monkeypatch.setattr(Path, "lstat", paused)
    assert prune(published, 1, LATER) == names[:3]


def test_a_generation_that_the_system_keeps_stays_whole_and_the_others_go(
    settings: Settings, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a mount. It also made the build red."""
    real = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if path.name == names[0]:
            raise OSError(16, os.strerror(16), str(path))
        return real(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    assert prune(settings.published, 1, LATER) == names[1:3]
    assert [manifest.generation for manifest in generations.manifests(settings.published)] == [names[0], names[3]]


@pytest.mark.parametrize("error", [OSError(24, os.strerror(24)), TitansError("Too many open files")])
def test_old_generations_that_stay_make_no_publication_red(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The link has moved by then, and the sentence said that what was published is untouched."""

    def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr(publish, "prune", refused)
    publish_for(tmp_path, 0.01, 0)
    assert linked(settings) == generations.names(settings.published)[-1]


def test_a_client_that_writes_makes_a_damaged_generation(settings: Settings, tmp_path: Path) -> None:
    """It was killed, and its changes stand in a log beside the file, whose hash is as before. Readers see them."""
    for _ in range(2):
        publish_for(tmp_path, 0.01, 0)
    first, last = generations.names(settings.published)
    file = settings.published.file(last)
    log = file.with_name("titans.duckdb.wal")
    log.write_bytes(b"a change")
    shown = dict(status_lines(settings, NOW))
    assert f"the published generation: {file} has a write-ahead log beside it" in shown["Damaged"]
    with pytest.raises(TitansError, match="write-ahead log"):
        roll_back(settings.published, last)
    assert release_hold(settings.published) == first
    publish_for(tmp_path, 0.01, 0)
    assert linked(settings) not in (first, last, None)
