"""Published folders made by hand: generations without marts in them, of the present layout and of the early one."""

from __future__ import annotations

import os
import shutil
from datetime import datetime

import duckdb

from include.paths import PublishedPaths
from include.production import SourceName
from include.publishing import generations
from include.publishing.manifest import Manifest


def manifest_of(moment: datetime, source: SourceName) -> Manifest:
    return Manifest(
        generation=f"{moment:%Y%m%dT%H%M%S.%fZ}-nogit", source=source, is_simulated=source == "sample",
        published_at=moment, as_of="2025-03-07", run_id="run", row_counts={}, checks_passed=1, checks_warned=0,
    )  # fmt: skip


def add_generation(
    published: PublishedPaths, moment: datetime, source: SourceName = "sample", *, is_linked: bool = True
) -> str:
    """A generation as of ``moment``, whose file holds its name as text; the link moves to it."""
    manifest = manifest_of(moment, source)
    shutil.rmtree(published.generations / manifest.generation, ignore_errors=True)
    with generations.new_folder(published, manifest) as folder:
        (folder / "titans.duckdb").write_text(manifest.generation)
    if is_linked:
        generations.move_link(published, manifest.generation)
    for each in generations.manifests(published):  # as if the link had left each long ago
        time = each.published_at.timestamp()
        os.utime(published.generations / each.generation, (time, time))
    return manifest.generation


def add_early_generation(published: PublishedPaths, moment: datetime, source: SourceName = "sample") -> str:
    """A generation in the layout of b4abb0a, 203a7e2 and fcb378c, with one table, and the link to it."""
    manifest = manifest_of(moment, source)
    published.folder.mkdir(parents=True, exist_ok=True)
    file = published.folder / f"titans-{manifest.generation}.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema marts")
        connection.execute(f"create table marts.dim_baskets as select '{manifest.generation}' as generation")
    file.chmod(0o444)
    text = manifest.model_dump_json(indent=1, exclude={"raw_state", "file_bytes", "file_sha256"})
    file.with_suffix(".json").write_text(text)
    published.link.unlink(missing_ok=True)
    published.link.symlink_to(file.name)
    return manifest.generation


def give_early_layout(published: PublishedPaths) -> None:
    """Put the generations of a folder back into the layout of versions up to 0.1."""
    linked = generations.linked_generation(published)
    for name in generations.names(published):
        published.file(name).rename(published.folder / f"titans-{name}.duckdb")
        published.manifest(name).rename(published.folder / f"titans-{name}.json")
    shutil.rmtree(published.generations)
    published.current.unlink()
    published.link.unlink()
    published.link.symlink_to(f"titans-{linked}.duckdb")
