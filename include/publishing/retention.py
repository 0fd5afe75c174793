"""Which generations stay."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.paths import PublishedPaths
from include.publishing import early_layout
from include.publishing.generations import hold, linked_generation, manifests
from include.publishing.manifest import Manifest, problem_of_file

_YOUNG = timedelta(minutes=10)
_LEFT_OVER = timedelta(days=1)


def prune(published: PublishedPaths, keep: int, now: datetime | None = None) -> list[str]:
    """Remove old generations; returns those that went. The caller holds the link lock.

    These stay: the last ``keep`` of each source, those younger than 10 minutes or linked within the last 10, what the
    link or a hold names, and all damaged ones. While a hold cannot be read, all stay; while the newest of a source is
    damaged, all of that source.
    """
    now = now or datetime.now(UTC)
    early_layout.remove_names(published, now)
    held = hold(published)
    if held is not None and held.generation is None:
        return []
    known = manifests(published)
    kept = {linked_generation(published), held.generation if held else None}
    removed = []
    for source in {manifest.source for manifest in known}:
        of_source = [manifest for manifest in known if manifest.source == source]
        may_go = [
            manifest
            for manifest in of_source[:-keep]
            if manifest.generation not in kept and _is_old(published, manifest, now)
        ]
        if may_go and problem_of_file(published, of_source[-1]) is None:
            removed += may_go
    for manifest in removed:
        # Under another name first: no generation is ever half there.
        gone = published.generations / f".removed-{manifest.generation}"
        _remove((published.generations / manifest.generation).rename(gone))
    for leftover in published.generations.glob(".*"):  # of a killed build, or of a removal
        if now.timestamp() - leftover.lstat().st_mtime > _LEFT_OVER.total_seconds():
            _remove(leftover)
    return sorted(manifest.generation for manifest in removed)


def _remove(path: Path) -> None:
    """Of a generation that a person has moved elsewhere, the link alone. What another user owns stays."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _is_old(published: PublishedPaths, manifest: Manifest, now: datetime) -> bool:
    """A folder's time is when it was filled, or when the link last left it."""
    filled = (published.generations / manifest.generation).stat().st_mtime
    return now.timestamp() - filled > _YOUNG.total_seconds()
