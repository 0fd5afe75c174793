"""Rollback: an earlier generation back, and held until it is released."""

from __future__ import annotations

from include.errors import TitansError
from include.paths import PublishedPaths
from include.production import Switch, read_production
from include.publishing.generations import (
    damaged_generations,
    hold_on,
    link_lock,
    linked_generation,
    manifests,
    move_link,
    names,
    whole_of_source,
)
from include.publishing.manifest import Manifest, refuse_damaged_file
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
    if not names(published):
        raise TitansError(f"Nothing is published in {published.folder}, so nothing can be rolled back.")
    with link_lock(published, "make rollback"):
        current = linked_generation(published)
        if current is None:
            raise TitansError(f"Nothing is published in {published.folder}, so nothing can be rolled back.")
        production = read_production(published.production)
        switch = production.switch if production else None
        target = _target(published, current, to, switch)
        refuse_damaged_file(published, target)
        if switch is not None and switch.before.source == target.source:
            undo(published, switch)
        hold_on(published, target.generation)
        move_link(published, target.generation)
    return current, target.generation


def _target(published: PublishedPaths, current: str, to: str | None, switch: Switch | None) -> Manifest:
    """The generation to go to.

    Raises:
        TitansError: there is no such or no earlier generation.
    """
    known = manifests(published)
    listed = f"nothing was moved. Known are {', '.join(manifest.generation for manifest in known) or 'none'}."
    if to is not None:
        named = next((manifest for manifest in known if manifest.generation == to), None)
        if named is None:
            raise TitansError(damaged_generations(published).get(to, f"There is no generation {to}") + f": {listed}")
        return named
    if switch is not None and switch.generation == current:
        of_source = [manifest for manifest in known if manifest.source == switch.before.source]
        linked_before = [manifest for manifest in of_source if manifest.generation == switch.linked]
        if of_source:
            return (linked_before or of_source)[-1]
    source = next((manifest.source for manifest in known if manifest.generation == current), None)
    if source is None:
        raise TitansError(
            f"{damaged_generations(published).get(current, current)}, so its source is not known: {listed} "
            "Name one of them: make rollback TO=<generation>."
        )
    earlier = [manifest for manifest in known if manifest.generation < current and manifest.source == source]
    if not earlier:
        raise TitansError(f"There is no generation of source {source} before {current}: {listed}")
    return earlier[-1]


def release_hold(published: PublishedPaths) -> str:
    """Let builds move the link again, and move it to the newest generation of the held one's source.

    Where that is simulated and the folder serves a real source, to the newest of the real one.

    Raises:
        TitansError: nothing is published.
    """
    if not names(published):
        raise TitansError(f"Nothing is published in {published.folder}, so there is nothing to move the link to.")
    with link_lock(published, "make publish"):
        known = manifests(published)
        if not known:
            raise TitansError(f"No generation in {published.generations} can be used: make status says why.")
        current = linked_generation(published)
        source = next((manifest.source for manifest in known if manifest.generation == current), known[-1].source)
        production = read_production(published.production)
        if production and source == "sample" and any(manifest.source == production.source for manifest in known):
            source = production.source
        newest = next(whole_of_source(published, source), None)
        if newest is None:
            raise TitansError(f"No generation of source {source} is whole: run again, which makes a new one.")
        published.hold.unlink(missing_ok=True)
        move_link(published, newest.generation)
    return newest.generation
