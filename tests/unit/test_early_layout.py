"""Published folders of b4abb0a, 203a7e2 and fcb378c get the present layout, and no reader notices."""

from __future__ import annotations

import os
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from include.errors import TitansError
from include.paths import PublishedPaths
from include.publishing import early_layout, generations
from include.publishing.manifest import problem_of_file
from include.publishing.retention import prune
from include.publishing.rollback import release_hold, roll_back
from include.publishing.switch import refuse_simulated
from include.sealed import seal
from tests.published_folder import add_early_generation

NOW = datetime.now(UTC)


@pytest.fixture
def published(tmp_path: Path) -> PublishedPaths:
    return PublishedPaths(tmp_path / "published")


@pytest.fixture
def names(published: PublishedPaths) -> list[str]:
    return [add_early_generation(published, NOW - timedelta(hours=hours)) for hours in (3, 2, 1)]


def read(path: Path) -> tuple[str, str]:
    """The generation that a client meets, and the name that it gives to the database."""
    with duckdb.connect(str(path), read_only=True) as connection:
        row = connection.execute("select generation, current_database() from marts.dim_baskets").fetchone()
    assert row is not None
    return row


def bring_over(published: PublishedPaths) -> None:
    generations.bring_over(published, "a test")


def test_an_early_folder_is_read_as_it_is(published: PublishedPaths, names: list[str]) -> None:
    """Before anything is published: by status, and by what refuses the sample."""
    assert [manifest.generation for manifest in generations.manifests(published)] == names
    assert generations.linked_generation(published) == names[-1]
    real = add_early_generation(published, NOW, "files")
    with pytest.raises(TitansError, match="serves real data"):
        refuse_simulated(published, "sample", is_switch=False)
    assert generations.linked_generation(published) == real
    assert not published.generations.exists()


def test_every_generation_gets_a_folder_and_the_link_names_the_same(
    published: PublishedPaths, names: list[str]
) -> None:
    bring_over(published)
    assert read(published.link) == (names[-1], "titans")
    assert [manifest.generation for manifest in generations.manifests(published)] == names
    for manifest in generations.manifests(published):
        assert problem_of_file(published, manifest) is None
        assert len(manifest.file_sha256 or "") == 64
        assert stat.S_IMODE(published.file(manifest.generation).stat().st_mode) == 0o444
    bring_over(published)
    assert generations.names(published) == names


def test_old_names_stay_for_ten_minutes(published: PublishedPaths, names: list[str]) -> None:
    """A reader that has resolved the old link finds its file; disk space is not needed twice."""
    bring_over(published)
    old = early_layout.file(published, names[-1])
    assert old.samefile(published.file(names[-1]))
    for minutes, expected in ((9, True), (11, False)):
        prune(published, 3, datetime.now(UTC) + timedelta(minutes=minutes))
        assert old.exists() is expected
        assert early_layout.manifest(published, names[-1]).exists() is expected
    assert read(published.link) == (names[-1], "titans")
    assert sorted(path.name for path in published.folder.iterdir()) == [
        ".lock",
        "current",
        "generations",
        "titans.duckdb",
    ]


def test_a_file_that_was_put_there_since_stays(published: PublishedPaths, names: list[str]) -> None:
    """Brought back from a backup, for somebody to look at: its generation is not there any more."""
    bring_over(published)
    old = early_layout.file(published, names[0])
    shutil.rmtree(published.generations / names[0])
    prune(published, 3, datetime.now(UTC) + timedelta(minutes=11))
    assert old.exists()
    assert not early_layout.file(published, names[1]).exists()


def test_a_rollback_brings_over_first_and_a_hold_stays(published: PublishedPaths, names: list[str]) -> None:
    published.hold.write_text(generations.Hold(generation=names[0], since=NOW).model_dump_json(indent=1))
    bring_over(published)
    held = generations.hold(published)
    assert held is not None
    assert held == generations.Hold(generation=names[0], since=NOW)
    assert published.hold.read_text() == seal(held)
    published.hold.unlink()
    assert roll_back(published, None) == (names[2], names[1])
    assert read(published.link) == (names[1], "titans")
    assert release_hold(published) == names[2]


def test_the_first_rollback_migrates(published: PublishedPaths, names: list[str]) -> None:
    assert roll_back(published, names[0]) == (names[2], names[0])
    assert read(published.link) == (names[0], "titans")


@pytest.mark.parametrize("point", ["link_or_copy", "write_manifest", "_point"])
@pytest.mark.parametrize("call", [1, 2])
def test_what_is_broken_off_anywhere_reads_as_before_and_is_done_again(
    published: PublishedPaths, names: list[str], monkeypatch: pytest.MonkeyPatch, point: str, call: int
) -> None:
    module = early_layout if point == "link_or_copy" else generations
    whole, calls = getattr(module, point), []

    def killed(*arguments: object) -> None:
        calls.append(point)
        if len(calls) == call:
            raise KeyboardInterrupt
        whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, point, killed)
        with pytest.raises(KeyboardInterrupt):
            bring_over(published)
    assert read(published.link)[0] == names[-1]
    assert generations.linked_generation(published) == names[-1]
    bring_over(published)
    assert read(published.link) == (names[-1], "titans")
    assert generations.names(published) == names
    assert generations.damaged_generations(published) == {}


def test_where_no_file_gets_a_second_name_it_is_copied(
    published: PublishedPaths, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    bring_over(published)
    assert read(published.link) == (names[-1], "titans")
    assert not early_layout.file(published, names[-1]).samefile(published.file(names[-1]))


def test_a_damaged_manifest_comes_over_as_damaged(published: PublishedPaths, names: list[str]) -> None:
    early_layout.manifest(published, names[-1]).write_bytes(b"\xff")
    bring_over(published)
    assert list(generations.damaged_generations(published)) == [names[-1]]
    assert read(published.link) == (names[-1], "titans")
    prune(published, 1, NOW + timedelta(days=9))
    assert read(published.link) == (names[-1], "titans")


def test_a_version_that_writes_the_early_layout_again_is_brought_over_again(
    published: PublishedPaths, names: list[str]
) -> None:
    bring_over(published)
    later = add_early_generation(published, NOW)
    assert generations.linked_generation(published) == later
    bring_over(published)
    assert read(published.link) == (later, "titans")
    assert generations.names(published) == [*names, later]


def test_an_absolute_link_is_followed_too(published: PublishedPaths, names: list[str]) -> None:
    published.link.unlink()
    published.link.symlink_to(early_layout.file(published, names[1]))
    bring_over(published)
    assert read(published.link) == (names[1], "titans")
    assert generations.names(published) == names


def test_a_lost_link_loses_no_generation(published: PublishedPaths, names: list[str]) -> None:
    published.link.unlink()
    assert generations.linked_generation(published) is None
    bring_over(published)
    assert generations.names(published) == names
    assert release_hold(published) == names[-1]
    assert read(published.link) == (names[-1], "titans")


def test_a_copy_of_the_folder_without_links_is_read(
    published: PublishedPaths, names: list[str], tmp_path: Path
) -> None:
    bring_over(published)
    shutil.copytree(published.folder, tmp_path / "elsewhere", symlinks=True)
    assert read(tmp_path / "elsewhere" / "titans.duckdb") == (names[-1], "titans")
