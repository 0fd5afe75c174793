"""Which generations stay."""

from __future__ import annotations

import shutil
from contextlib import suppress
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
    may_go = []
    for source in {manifest.source for manifest in known}:
        of_source = [manifest for manifest in known if manifest.source == source]
        old = [
            manifest.generation
            for manifest in of_source[:-keep]
            if manifest.generation not in kept and _is_old(published, manifest, now)
        ]
        if old and problem_of_file(published, of_source[-1]) is None:
            may_go += old
    removed = [generation for generation in sorted(may_go) if _has_gone(published, generation)]
    for leftover in published.generations.glob(".*"):  # of a killed build, or of a removal
        with suppress(OSError):  # another build has just made its generation of it
            if now.timestamp() - leftover.lstat().st_mtime > _LEFT_OVER.total_seconds():
                _remove(leftover)
    return removed


def _has_gone(published: PublishedPaths, generation: str) -> bool:
    """Remove a generation, unless the system refuses it: it then stays whole, and the next publication tries again."""
    # Under another name first: no generation is ever half there.
    gone = published.generations / f".removed-{generation}"
    try:
        (published.generations / generation).rename(gone)
    except OSError:  # of another user, or a mount
        return False
    _remove(gone)
    return True


def _remove(path: Path) -> None:
    """Of a generation that a person has moved elsewhere, the link alone. What another user owns stays."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _is_old(published: PublishedPaths, manifest: Manifest, now: datetime) -> bool:
    """A folder's time is when it was filled, or when the link last left it."""
    try:
        filled = (published.generations / manifest.generation).stat().st_mtime
    except OSError:  # a person has just moved it away
        return False
    return now.timestamp() - filled > _YOUNG.total_seconds()
