"""Which source the link may go to, and how a data folder comes to serve another one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from include.commands import make_command
from include.errors import Runbook, TitansError
from include.paths import PublishedPaths
from include.production import SOURCE_NAMES, Production, SourceName, Switch, read_production, write_production
from include.publishing.generations import linked_generation, linked_manifest, manifests


def refuse_simulated(published: PublishedPaths, source: SourceName, is_switch: bool) -> None:
    """Refuse the sample where a real source is published.

    Raises:
        TitansError: it would replace real data, and nobody asked for a switch; or the folder's memory cannot be read.
    """
    production = _production(published)
    if source != "sample" or is_switch or production is None or production.source == "sample":
        return
    data_dir, real = published.folder.parent, {"SOURCE": str(production.source)}
    raise TitansError(
        f"{published.folder} serves real data, of source {production.source}: the sample is simulated and would "
        f"replace them, so nothing was run. To go on with the real data: {make_command(data_dir, 'run', **real)}. For the "
        "sample, give it a folder of its own: make run SOURCE=sample DATA=DIR. To switch this folder on purpose: "
        f"{make_command(data_dir, 'run', SOURCE='sample', SWITCH='yes')}, which "
        f"{make_command(data_dir, 'rollback')} undoes.",
        Runbook.OTHER_SOURCE,
    )


def _production(published: PublishedPaths) -> Production | None:
    """What the folder serves, if it is on record; else the real source that the link names, published before there was
    a record."""
    if (production := read_production(published.production)) is not None:
        return production
    linked = linked_manifest(published)
    if linked is None and (published.link.is_symlink() or published.current.is_symlink()):
        # A link is lost or the manifest cannot be read, which is no sign of the sample.
        linked = next((each for each in reversed(manifests(published)) if not each.is_simulated), None)
        if linked is None and (real := _real_store(published)) is not None:
            return Production(source=real, since=datetime.fromtimestamp(published.folder.stat().st_mtime, UTC))
    if linked is None or linked.is_simulated:
        return None
    return Production(source=linked.source, since=linked.published_at)


def _real_store(published: PublishedPaths) -> SourceName | None:
    """A real source that has landed anything in the data folder."""
    landed = [name for name in SOURCE_NAMES if (published.folder.parent / name / "landing").is_dir()]
    return next((name for name in landed if name != "sample"), None)


def remember(
    published: PublishedPaths, source: SourceName, files_dir: Path | None, generation: str, may_switch: bool
) -> None:
    """Note what the folder serves, before the link moves to ``generation`` of ``source``. The caller holds the lock.

    The first real source becomes the production source. Another one takes its place by a switch alone, but for a real
    one after the sample: what a bare ``make run`` builds never replaces real data by simulated ones.

    Args:
        may_switch: whether a switch was asked for, and no rollback holds the link.
    """
    before, linked = _production(published), linked_generation(published)
    if before is None and source == "sample":
        return
    if before is None or before.source == source:
        new = (before or Production(source=source, since=datetime.now(UTC))).model_copy(update={"files_dir": files_dir})
    elif may_switch and linked is not None:
        switch = Switch(before=before, linked=linked, generation=generation)
        new = Production(source=source, files_dir=files_dir, since=datetime.now(UTC), switch=switch)
    elif before.source == "sample":
        new = Production(source=source, files_dir=files_dir, since=datetime.now(UTC))
    else:
        new = before
    if new != read_production(published.production):
        write_production(published.production, new)


def serve_again(published: PublishedPaths, source: SourceName) -> None:
    """Let the folder serve the source that a rollback leads to: what it served before a switch, or a real source after
    the sample. The caller holds the lock."""
    production = served = read_production(published.production)
    while served is not None and served.source != source:
        served = served.switch.before if served.switch else None
    if served is None and production is not None and production.source == "sample":
        served = Production(source=source, since=datetime.now(UTC))
    if served is not None and served != production:
        write_production(published.production, served)
