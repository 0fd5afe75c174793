"""Rollback: an earlier generation back, and held until it is released."""

from __future__ import annotations

from datetime import UTC, datetime

from include.errors import TitansError
from include.files import write_whole
from include.paths import PublishedPaths
from include.production import read_production
from include.publishing.generations import Hold, link_lock, linked_generation, manifests, move_link
from include.publishing.switch import undo


def roll_back(published: PublishedPaths, to: str | None) -> tuple[str, str]:
    """Move the link to an earlier generation and hold it there. A switch of sources is undone with it.

    Args:
        to: generation; default, the one before the linked one of the same source. After a switch of sources, the one
            that was linked before it.

    Returns:
        The generation before and after.

    Raises:
        TitansError: nothing is published, or there is no such or no earlier generation.
    """
    current = linked_generation(published)
    if current is None:
        raise TitansError(f"Nothing is published in {published.folder}, so nothing can be rolled back.")
    known = manifests(published)
    names = [manifest.generation for manifest in known]
    production = read_production(published.production)
    switch = production.switch if production else None
    if to is None and switch is not None and switch.generation == current:
        of_source = [manifest.generation for manifest in known if manifest.source == switch.before.source]
        to = switch.linked if switch.linked in names else next(reversed(of_source), None)
    if to is None:
        source = next((manifest.source for manifest in known if manifest.generation == current), None)
        earlier = [
            manifest.generation for manifest in known if manifest.generation < current and manifest.source == source
        ]
        if not earlier:
            raise TitansError(
                f"There is no generation of source {source} before {current}: nothing was moved. "
                f"Known are {', '.join(names)}."
            )
        to = earlier[-1]
    if to not in names:
        raise TitansError(f"There is no generation {to}: nothing was moved. Known are {', '.join(names)}.")
    is_undone = switch is not None and switch.before.source == next(m.source for m in known if m.generation == to)
    with link_lock(published, "make rollback"):
        if switch is not None and is_undone:
            undo(published, switch)
        write_whole(published.hold, Hold(generation=to, since=datetime.now(UTC)).model_dump_json(indent=1))
        move_link(published, to)
    return current, to


def release_hold(published: PublishedPaths) -> str:
    """Let builds move the link again, and move it to the newest generation of the held one's source.

    Where that is simulated and the folder serves a real source, to the newest of the real one.

    Raises:
        TitansError: nothing is published.
    """
    known = manifests(published)
    if not known:
        raise TitansError(f"Nothing is published in {published.folder}, so there is nothing to move the link to.")
    current = linked_generation(published)
    source = next((manifest.source for manifest in known if manifest.generation == current), known[-1].source)
    production = read_production(published.production)
    if production and source == "sample" and any(manifest.source == production.source for manifest in known):
        source = production.source
    newest = [manifest.generation for manifest in known if manifest.source == source][-1]
    with link_lock(published, "make publish"):
        published.hold.unlink(missing_ok=True)
        move_link(published, newest)
    return newest
