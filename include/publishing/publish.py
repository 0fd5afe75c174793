"""Marts to a published generation: a new file, whole and verified, and then the link."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from include.errors import TitansError
from include.paths import PublishedPaths
from include.production import read_production
from include.publishing import generations, switch
from include.publishing.changes import changes_since, raw_state, read_last
from include.publishing.manifest import Manifest
from include.publishing.marts_file import Build, mart_row_counts, sentences, write_marts_file
from include.publishing.retention import prune

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """What came of publishing.

    Attributes:
        generation: the newest of the source.
        is_new: whether this build made it.
        changed: tables that differ from the generation before; ``ops`` where a delivery changed no mart.
        is_held: whether a rollback holds the link.
        changed_source_from: the source that the link named before, where it is another one.
        production: the source that the data folder serves, where one is on record.
        headlines: those of the generation before that say something else now, each with the values that changed.
    """

    generation: str
    is_new: bool
    changed: list[str]
    headlines: list[str]
    is_held: bool
    changed_source_from: str | None
    production: str | None


def last_complete_session(connection: duckdb.DuckDBPyConnection) -> date:
    """The last session of any exchange up to which the data of all are complete.

    A holiday of one exchange does not hold it back.
    """
    # Not the headlines' days: there need not be any headline.
    row = connection.execute(
        """select max(date) from (
            select date from marts.fct_security_daily union all select date from marts.fct_index_daily)
        where date <= (select min(exchange_complete_until) from ops.freshness)"""
    ).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]  # DuckDB rows are not typed


def publish(
    build: Build, published: PublishedPaths, keep: int, files_dir: Path | None = None, is_switch: bool = False
) -> Publication:
    """Publish the marts of an open warehouse.

    It makes a new generation if any row of them changed, or if since the last one a delivery stored or rejected rows or
    changed a verdict.

    Args:
        keep: generations of each source that stay.
        files_dir: the folder that source ``files`` read, which the data folder remembers with its production source.
        is_switch: whether the source may take the place of another production source.

    Raises:
        TitansError: the file could not be written or verified, or it is simulated and would replace real data; the
            link still names the generation before.
    """
    source = build.store.source
    switch.refuse_simulated(published, source, is_switch)
    with sentences(published.link, build.store.warehouse):
        generations.bring_over(published, build.results.run_id)
    linked = generations.linked_manifest(published)
    last = read_last(published, source, lambda file: changes_since(build.connection, file))
    generation, (changed, headlines) = (last[0].generation, last[1]) if last else ("", (["marts"], []))
    if last and not changed and raw_state(build.connection) != last[0].raw_state:
        changed = ["ops"]
    if changed:
        with sentences(published.link, build.store.warehouse), generations.link_lock(published, build.results.run_id):
            generation, now = generations.begin(published, source, datetime.now(UTC))
        manifest = _manifest(build, generation, now)
        known = [*generations.manifests(published), manifest]
        target = published.file(generation)
        with sentences(target, build.store.warehouse), generations.new_folder(published, manifest) as folder:
            write_marts_file(build, folder / target.name, manifest, known)
    with generations.link_lock(published, build.results.run_id):
        # Again, inside the lock: a real source may have published meanwhile.
        switch.refuse_simulated(published, source, is_switch)
        is_held = generations.hold(published) is not None
        switch.remember(published, source, files_dir, generation, is_switch and not is_held)
        if not is_held and generations.linked_generation(published) != generation:
            generations.move_link(published, generation)
        try:
            prune(published, keep)
        except (OSError, TitansError) as error:  # the link has moved: what stays for longer makes no publication red
            _log.warning("Old generations stay in %s: %s", published.generations, error)
    changed_source = linked.source if linked and linked.source != source and not is_held else None
    production = read_production(published.production)
    serves = production.source if production else None
    return Publication(generation, bool(changed), changed, headlines, is_held, changed_source, serves)


def write_known_at(build: Build, published: PublishedPaths) -> Path:
    """Write the marts of a point-in-time build to a file of their own, and publish nothing.

    It takes the place of an earlier one of the same day.

    Raises:
        TitansError: the file could not be written or verified.
    """
    target = build.store.known_at_file
    manifest = _manifest(build, target.stem, datetime.now(UTC))
    with sentences(target, build.store.warehouse):
        write_marts_file(build, target, manifest, generations.manifests(published))
    return target


def _manifest(build: Build, generation: str, now: datetime) -> Manifest:
    checks = build.results.checks
    is_loss_accepted = any(check.name == "nothing_lost" and check.status == "warning" for check in checks)
    return Manifest(
        generation=generation,
        source=build.store.source,
        is_simulated=build.store.is_simulated,
        published_at=now,
        as_of=str(last_complete_session(build.connection)),
        run_id=build.results.run_id,
        row_counts=mart_row_counts(build.connection, "warehouse"),
        checks_passed=sum(check.status == "passed" for check in checks),
        checks_warned=sum(check.status == "warning" for check in checks),
        accepted_loss=build.accept_loss if is_loss_accepted else None,
        raw_state=raw_state(build.connection),
    )
