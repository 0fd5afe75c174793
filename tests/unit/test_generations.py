"""Generations, the link, rollback and what is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.errors import TitansError
from include.files import write_whole
from include.publishing import generations
from include.publishing.generations import Manifest
from include.publishing.rollback import release_hold, roll_back
from include.settings import Settings, load_settings

NOW = datetime(2025, 3, 8, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path), keep_generations=2)


def add(settings: Settings, age: timedelta, source: str = "sample") -> str:
    moment = NOW - age
    manifest = Manifest(
        generation=f"{moment:%Y%m%dT%H%M%S.%fZ}-nogit", source=source, is_simulated=source == "sample", published_at=moment,
        as_of="2025-03-07", run_id="run", row_counts={}, checks_passed=1, checks_warned=0,
    )  # fmt: skip
    settings.published.folder.mkdir(parents=True, exist_ok=True)
    settings.published.file(manifest.generation).write_text(manifest.generation)
    write_whole(settings.published.manifest(manifest.generation), manifest.model_dump_json())
    generations.move_link(settings.published, manifest.generation)
    return manifest.generation


def test_link_is_relative_so_that_the_folder_can_be_mounted_anywhere(settings: Settings) -> None:
    name = add(settings, timedelta())
    assert str(settings.published.link.readlink()) == f"titans-{name}.duckdb"
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
    generations.move_link(settings.published, old[0])
    removed = generations.prune(settings.published, settings.keep_generations, NOW)
    assert removed == [old[1], old[2]]
    kept = {manifest.generation for manifest in generations.manifests(settings.published)}
    assert kept == {old[0], other, *young}


def test_a_generation_without_a_whole_manifest_does_not_count(settings: Settings) -> None:
    name = add(settings, timedelta(hours=1))
    (settings.published.folder / "titans-broken.json").write_text("{")
    settings.published.file("20250101T000000.000000Z-nogit").write_text("no manifest")
    assert [manifest.generation for manifest in generations.manifests(settings.published)] == [name]


def test_names_sort_by_time() -> None:
    moments = [NOW, NOW + timedelta(microseconds=1), NOW + timedelta(days=400)]
    names = [generations.new_generation_name(moment) for moment in moments]
    assert names == sorted(names)
    assert names[0].startswith("20250308T120000.000000Z-")


def test_a_clock_that_was_set_back_does_not_put_a_new_generation_before_an_old_one(settings: Settings) -> None:
    last = add(settings, timedelta())
    moment = generations.after_all(settings.published, NOW - timedelta(days=300))
    assert generations.new_generation_name(moment) > last
    assert generations.after_all(settings.published, NOW + timedelta(days=1)) == NOW + timedelta(days=1)
