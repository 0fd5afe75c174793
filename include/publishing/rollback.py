"""Rollback: an earlier generation back, and held until it is released."""

from __future__ import annotations

from include.commands import make_command
from include.errors import TitansError
from include.paths import PublishedPaths
from include.production import Production, read_production
from include.publishing.generations import (
    damaged_generations,
    hold,
    hold_on,
    link_lock,
    linked_generation,
    manifests,
    move_link,
    names,
    whole_of_source,
)
from include.publishing.manifest import Manifest, refuse_damaged_file
from include.publishing.switch import serve_again


def roll_back(published: PublishedPaths, to: str | None) -> tuple[str, str]:
    """Move the link to an earlier generation and hold it there. A switch of sources is undone with it.

    Args:
        to: generation; default, the one before the linked one of the same source. After a switch of sources, the one
            that was linked before it; after a rollback that was broken off, the one that it led to.

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
            raise TitansError(
                f"{published.link} leads to no generation, so there is none to go back from: "
                f"{make_command(published.folder.parent, 'publish')} leads it to the newest."
            )
        target = _target(published, current, to, read_production(published.production))
        refuse_damaged_file(published, target)
        hold_on(published, target.generation)
        serve_again(published, target.source)
        move_link(published, target.generation)
    return current, target.generation


def _target(published: PublishedPaths, current: str, to: str | None, production: Production | None) -> Manifest:
    """The generation to go to.

    Raises:
        TitansError: there is no such or no earlier generation.
    """
    known = manifests(published)
    listed = f"nothing was moved. Known are {', '.join(manifest.generation for manifest in known) or 'none'}."
    if to is not None:
        if named := _find(known, to):
            return named
        raise TitansError(damaged_generations(published).get(to, f"There is no generation {to}") + f": {listed}")
    held = hold(published)
    if held and held.generation != current and (named := _find(known, held.generation)):
        return named
    before_switch = _before_switch(known, production)
    if before_switch and production and production.switch and production.switch.generation == current:
        return before_switch
    source = next((manifest.source for manifest in known if manifest.generation == current), None)
    if source is None:
        raise TitansError(
            f"{damaged_generations(published).get(current, current)}, so its source is not known: {listed} "
            "Name one of them: make rollback TO=<generation>."
        )
    earlier = [manifest for manifest in known if manifest.generation < current and manifest.source == source]
    if earlier:
        return earlier[-1]
    if before_switch and production and production.source == source:  # what the switch led to has gone since
        return before_switch
    raise TitansError(f"There is no generation of source {source} before {current}: {listed}")


def _find(known: list[Manifest], generation: str | None) -> Manifest | None:
    return next((manifest for manifest in known if manifest.generation == generation), None)


def _before_switch(known: list[Manifest], production: Production | None) -> Manifest | None:
    """The generation that was linked before the last switch, or the newest of its source where that one has gone."""
    if production is None or production.switch is None:
        return None
    switch = production.switch
    of_source = [manifest for manifest in known if manifest.source == switch.before.source]
    return _find(of_source, switch.linked) or next(reversed(of_source), None)


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
        production = read_production(published.production)
        # Where the manifest of the linked one is damaged, its source is not known.
        usual = production.source if production else known[-1].source
        source = next((manifest.source for manifest in known if manifest.generation == current), usual)
        if production and source == "sample" and any(manifest.source == production.source for manifest in known):
            source = production.source
        newest = next(whole_of_source(published, source), None)
        if newest is None:
            raise TitansError(f"No generation of source {source} is whole: run again, which makes a new one.")
        published.hold.unlink(missing_ok=True)
        move_link(published, newest.generation)
    return newest.generation
