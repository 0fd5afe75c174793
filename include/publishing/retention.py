"""Which generations stay."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

from include.paths import PublishedPaths
from include.publishing import early_layout
from include.publishing.generations import hold, linked_generation, manifests

_YOUNG = timedelta(minutes=10)
_LEFT_OVER = timedelta(days=1)


def prune(published: PublishedPaths, keep: int, now: datetime | None = None) -> list[str]:
    """Remove old generations; returns those that went. The caller holds the link lock.

    These stay: the last ``keep`` of each source, those younger than 10 minutes or linked within the last 10, what the
    link or a hold names, and all damaged ones. While a hold cannot be read, all stay.
    """
    now = now or datetime.now(UTC)
    early_layout.remove_names(published, now)
    held = hold(published)
    if held is not None and held.generation is None:
        return []
    known = manifests(published)
    kept = {linked_generation(published), held.generation if held else None}
    for source in {manifest.source for manifest in known}:
        kept |= {manifest.generation for manifest in [m for m in known if m.source == source][-keep:]}
    removed = []
    for manifest in known:
        folder = published.generations / manifest.generation
        # A folder's time is when it was filled, or when the link last left it.
        if manifest.generation not in kept and now.timestamp() - folder.stat().st_mtime > _YOUNG.total_seconds():
            # Under another name first: no generation is ever half there.
            shutil.rmtree(folder.rename(published.generations / f".removed-{manifest.generation}"))
            removed.append(manifest.generation)
    for leftover in published.generations.glob(".*"):  # of a killed build, or of a removal
        if now.timestamp() - leftover.lstat().st_mtime > _LEFT_OVER.total_seconds():
            shutil.rmtree(leftover, ignore_errors=True)
    return removed
