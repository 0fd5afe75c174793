"""Generations, the link, rollback and what is kept."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.errors import TitansError
from include.production import SourceName
from include.publishing import generations
from include.publishing.names import after, new_generation_name
from include.publishing.retention import prune
from include.publishing.rollback import release_hold, roll_back
from include.settings import Settings, load_settings
from tests.published_folder import add_generation

NOW = datetime(2025, 3, 8, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path), keep_generations=2)


def add(settings: Settings, age: timedelta, source: SourceName = "sample") -> str:
    return add_generation(settings.published, NOW - age, source)


def test_links_are_relative_so_that_the_folder_can_be_mounted_anywhere(settings: Settings) -> None:
    name = add(settings, timedelta())
    assert str(settings.published.current.readlink()) == f"generations/{name}"
    assert str(settings.published.link.readlink()) == "current/titans.duckdb"
    assert settings.published.link.read_text() == name
    assert generations.linked_generation(settings.published) == name


def test_rollback_goes_one_back_within_the_source_and_holds(settings: Settings) -> None:
    first = add(settings, timedelta(hours=3))
    add(settings, timedelta(hours=2), source="files")
    last = add(settings, timedelta(hours=1))
    assert roll_back(settings.published, None) == (last, first)
    assert generations.linked_generation(settings.published) == first
    held = generations.hold(settings.published)
    assert held is not None
    assert held.generation == first
    assert release_hold(settings.published) == last
    assert generations.hold(settings.published) is None
    assert generations.linked_generation(settings.published) == last


def test_rollback_to_a_named_generation_of_another_source(settings: Settings) -> None:
    other = add(settings, timedelta(hours=2), source="files")
    add(settings, timedelta(hours=1))
    roll_back(settings.published, other)
    assert generations.linked_generation(settings.published) == other


def test_rollback_refuses_what_is_not_there(settings: Settings) -> None:
    with pytest.raises(TitansError, match="Nothing is published"):
        roll_back(settings.published, None)
    only = add(settings, timedelta(hours=1))
    with pytest.raises(TitansError, match="no generation of source sample before"):
        roll_back(settings.published, None)
    with pytest.raises(TitansError, match=r"no generation \.\./\.\./x"):
        roll_back(settings.published, "../../x")
    assert generations.linked_generation(settings.published) == only


def test_prune_keeps_the_last_of_each_source_the_young_and_the_linked(settings: Settings) -> None:
    old = [add(settings, timedelta(hours=hours)) for hours in (9, 8, 7)]
    other = add(settings, timedelta(hours=6), source="files")
    young = [add(settings, timedelta(minutes=minutes)) for minutes in (9, 8, 7)]
    published = settings.published
    published.current.unlink()
    published.current.symlink_to(f"generations/{old[0]}")
    removed = prune(published, settings.keep_generations, NOW)
    assert removed == [old[1], old[2]]
    kept = {manifest.generation for manifest in generations.manifests(settings.published)}
    assert kept == {old[0], other, *young}


def test_prune_keeps_for_ten_minutes_what_the_link_has_left(settings: Settings) -> None:
    """A reader that resolved the link opens the file a moment later."""
    old, *_ = [add(settings, timedelta(hours=hours)) for hours in (9, 8, 7, 6)]
    published = settings.published
    generations.move_link(published, old)
    os.utime(published.generations / old, (0, 0))
    generations.move_link(published, generations.names(published)[-1])
    now = datetime.now(UTC)
    for late, expected in ((9, True), (11, False)):
        prune(published, settings.keep_generations, now + timedelta(minutes=late))
        assert (old in generations.names(published)) is expected


def test_prune_removes_no_generation_while_the_newest_is_damaged(settings: Settings) -> None:
    """A damaged one takes no whole one with it."""
    names = [add(settings, timedelta(hours=hours)) for hours in (9, 8, 7, 6)]
    file = settings.published.file(names[-1])
    content = file.read_text()
    file.write_text(content.replace("nogit", "nogis"))
    assert prune(settings.published, 1, datetime.now(UTC)) == []
    file.write_text(content)
    assert prune(settings.published, 1, datetime.now(UTC)) == names[:-1]


def test_prune_removes_what_killed_builds_left(settings: Settings) -> None:
    add(settings, timedelta(hours=1))
    leftovers = [settings.published.generations / name for name in (".files", ".removed-x", ".early")]
    for folder in leftovers:
        folder.mkdir()
        (folder / "titans.duckdb").touch()
    prune(settings.published, settings.keep_generations)
    assert all(folder.exists() for folder in leftovers), "another build may be writing"
    prune(settings.published, settings.keep_generations, datetime.now(UTC) + timedelta(days=2))
    assert not any(folder.exists() for folder in leftovers)


def test_a_generation_without_a_whole_manifest_does_not_count(settings: Settings) -> None:
    name, broken = add(settings, timedelta(hours=1)), add(settings, timedelta(hours=2))
    settings.published.manifest(broken).write_text("{")
    alone = settings.published.file("20250101T000000.000000Z-nogit")
    alone.parent.mkdir()
    alone.write_text("no manifest")
    assert [manifest.generation for manifest in generations.manifests(settings.published)] == [name]
    assert sorted(generations.damaged_generations(settings.published)) == sorted([alone.parent.name, broken])


def test_names_sort_by_time() -> None:
    moments = [NOW, NOW + timedelta(microseconds=1), NOW + timedelta(days=400)]
    names = [new_generation_name(moment) for moment in moments]
    assert names == sorted(names)
    assert names[0].startswith("20250308T120000.000000Z-")


def test_a_clock_that_was_set_back_does_not_put_a_new_generation_before_an_old_one(settings: Settings) -> None:
    last = add(settings, timedelta())
    moment = after(last, NOW - timedelta(days=300))
    assert new_generation_name(moment) > last
    assert after(last, NOW + timedelta(days=1)) == NOW + timedelta(days=1)


def test_two_builds_at_one_time_have_two_names(settings: Settings) -> None:
    """Also after the clock was set back by a year, where both follow the newest; what a killed build began goes."""
    published = settings.published
    newest = add_generation(published, datetime(2027, 1, 1, tzinfo=UTC))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    sources: list[SourceName] = ["files", "yahoo", "files"]
    names = [generations.begin(published, source, now)[0] for source in sources]
    assert [newest, *names] == sorted({newest, *names})
    moments = [generations.begin(published, "sample", now)[1] for _ in range(2)]
    assert moments[0] == moments[1] > datetime(2027, 1, 1, tzinfo=UTC)
    assert generations.names(published) == [newest]
    begun = sorted(path.name for path in published.generations.glob(".*"))
    assert begun == sorted([f".files-{names[2]}", f".yahoo-{names[1]}", begun[1]])
