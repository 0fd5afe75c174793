"""Published generations: folders with a DuckDB file and its manifest, and the link to the one that people read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from include.errors import Runbook, TitansError
from include.files import sync_folder, write_whole
from include.locks import exclusive
from include.paths import PublishedPaths
from include.production import SourceName
from include.publishing import early_layout
from include.publishing.manifest import Manifest, problem_of_file, read_manifest, write_manifest
from include.publishing.names import after, is_generation_name, new_generation_name
from include.sealed import DamagedError, read_sealed, seal

_THROUGH_CURRENT = "current/titans.duckdb"
_REPORT_THROUGH_CURRENT = "current/report"
_PATIENCE_SECONDS = 60.0
FOLDER_MODE = 0o755
"""Readers cannot put another file under a published name, whatever the umask."""


class Hold(BaseModel):
    """A rollback that holds: the link stays on ``generation`` until ``make publish``.

    Attributes:
        generation: None where the file cannot be read. The link is held all the same, wherever it is.
    """

    generation: str | None
    since: datetime


def names(published: PublishedPaths) -> list[str]:
    """All generations, whole or damaged, oldest first."""
    found = set(early_layout.generations(published))
    if published.generations.exists():
        if not published.generations.is_dir():
            raise TitansError(
                f"{published.generations} is no folder: move it away, then run again.", Runbook.PUBLISH_FAILED
            )
        found |= {path.name for path in published.generations.iterdir() if is_generation_name(path.name)}
    return sorted(found)


def manifests(published: PublishedPaths) -> list[Manifest]:
    """The manifests of all generations that are not damaged, oldest first."""
    return [found for name in names(published) if isinstance(found := read_manifest(published, name), Manifest)]


def damaged_generations(published: PublishedPaths) -> dict[str, str]:
    """The other generations, each with a sentence on what is wrong. Nothing removes them but a person."""
    found = {name: read_manifest(published, name) for name in names(published)}
    return {name: problem for name, problem in found.items() if isinstance(problem, str)}


def begin(published: PublishedPaths, source: SourceName, now: datetime) -> tuple[str, datetime]:
    """The name of a new generation of ``source``, and its time, later than those of all that are there or begun.

    The name is taken from here on: a build of another source may begin one before this one is whole. What a killed build
    of the source began goes. The caller holds the link lock.
    """
    for leftover in published.generations.glob(f".{source}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    begun = [path.name.partition("-")[2] for path in published.generations.glob(".*-*")]
    moment = after(max([*names(published), *filter(is_generation_name, begun)], default=None), now)
    generation = new_generation_name(moment)
    published.generations.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)  # parents of a folder get no mode
    _begun(published, source, generation).mkdir(mode=FOLDER_MODE)
    return generation, moment


def _begun(published: PublishedPaths, source: SourceName, generation: str) -> Path:
    return published.generations / f".{source}-{generation}"


@contextmanager
def new_folder(published: PublishedPaths, manifest: Manifest) -> Iterator[Path]:
    """Yield a folder, which becomes that of a generation in one step once the block has filled it."""
    temporary = _begun(published, manifest.source, manifest.generation)
    temporary.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    try:
        yield temporary
        write_manifest(temporary, manifest)
        temporary.chmod(FOLDER_MODE)
        temporary.rename(published.generations / manifest.generation)
        sync_folder(published.generations)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def linked_generation(published: PublishedPaths) -> str | None:
    """The generation that people read through the link, however a person has set it, or None where nothing is published.

    Where the link is lost, ``current`` says it.

    Raises:
        TitansError: in the place of a link is something else.
    """
    _refuse_no_link(published.link)
    _refuse_no_link(published.current)
    _refuse_no_link(published.report)
    if (early := early_layout.linked(published)) is not None:
        return early
    is_usual = not published.link.is_symlink() or published.link.readlink() == Path(_THROUGH_CURRENT)
    if is_usual and published.current.is_symlink():
        folder, _, name = str(published.current.readlink()).partition("/")
        if folder == "generations" and is_generation_name(name):
            return name if published.file(name).exists() else None
    read = published.link if published.link.is_symlink() else published.current / "titans.duckdb"
    return next((name for name in reversed(names(published)) if _is_same(published.file(name), read)), None)


def _is_same(one: Path, two: Path) -> bool:
    try:
        return one.samefile(two)
    except OSError:
        return False


def _refuse_no_link(path: Path) -> None:
    if path.exists() and not path.is_symlink():
        raise TitansError(
            f"{path} is a {'folder' if path.is_dir() else 'file'}, and must be a link: move it away, then "
            "run again. No generation is touched.",
            Runbook.PUBLISH_FAILED,
        )


def linked_manifest(published: PublishedPaths) -> Manifest | None:
    """What is known of the generation that the link names; None where nothing is, or its manifest is damaged."""
    linked = linked_generation(published)
    return next((manifest for manifest in manifests(published) if manifest.generation == linked), None)


def last_of_source(published: PublishedPaths, source: str) -> Manifest | None:
    """The newest generation of ``source``, linked or not."""
    return next((manifest for manifest in reversed(manifests(published)) if manifest.source == source), None)


def whole_of_source(published: PublishedPaths, source: str) -> Iterator[Manifest]:
    """The generations of ``source`` whose file is what was published, newest first. A damaged one is passed over."""
    for manifest in reversed(manifests(published)):
        if manifest.source == source and problem_of_file(published, manifest) is None:
            yield manifest


def hold(published: PublishedPaths) -> Hold | None:
    """The rollback in force, if any. A file that cannot be read holds as well."""
    try:
        return read_sealed(Hold, published.hold)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except DamagedError:
        return Hold(generation=None, since=datetime.fromtimestamp(published.hold.lstat().st_mtime, UTC))


def hold_on(published: PublishedPaths, generation: str) -> None:
    """Hold the link on a generation. The caller holds the lock."""
    write_whole(published.hold, seal(Hold(generation=generation, since=datetime.now(UTC))))


@contextmanager
def link_lock(published: PublishedPaths, holder: str) -> Iterator[None]:
    """The only right to move the link, hold it or prune: builds of several sources and people share the folder.

    In the block the folder has the present layout.

    Raises:
        HeldError: another process holds it for longer than a minute.
    """
    published.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    refusal = f"The link in {published.folder} is being moved: {{who}}. Wait for it to end, then try again."
    with exclusive(published.lock, holder, refusal, _PATIENCE_SECONDS):
        if early_layout.is_early(published):
            _bring_over(published)
        yield


def bring_over(published: PublishedPaths, holder: str) -> None:
    """Make the folder, or give one of an early layout the present one."""
    with link_lock(published, holder):
        pass


def _bring_over(published: PublishedPaths) -> None:
    """Readers meet the old names or the new ones, never neither.

    The old names stay until ``prune`` removes them. Where it is broken off, the next one begins again.
    """
    linked = early_layout.linked(published)
    published.generations.mkdir(mode=FOLDER_MODE, exist_ok=True)
    for generation in early_layout.generations(published):
        if (published.generations / generation).exists():
            continue
        manifest = read_manifest(published, generation)
        temporary = published.generations / ".early"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(mode=FOLDER_MODE)
        early_layout.link_or_copy(early_layout.file(published, generation), temporary / "titans.duckdb")
        if isinstance(manifest, Manifest):
            write_manifest(temporary, manifest)
        elif early_layout.manifest(published, generation).exists():  # damaged: it stays so, for somebody to look at
            early_layout.link_or_copy(early_layout.manifest(published, generation), temporary / "manifest.json")
        temporary.chmod(FOLDER_MODE)
        sync_folder(temporary)
        temporary.rename(published.generations / generation)
    sync_folder(published.generations)
    if (held := hold(published)) is not None and held.generation is not None:
        write_whole(published.hold, seal(held))
    if linked is not None:
        _point(published.current, f"generations/{linked}")
    _point(published.link, _THROUGH_CURRENT)


def move_link(published: PublishedPaths, generation: str) -> None:
    """Point ``current`` at a generation in one atomic step: readers see the old file or the new one.

    The caller holds the link lock.

    Raises:
        TitansError: in the place of a link is something else, or the generation was removed meanwhile.
    """
    before = linked_generation(published)
    if not published.file(generation).exists():
        raise TitansError(f"{published.file(generation)} was removed meanwhile, and the link stays: run again.")
    if before not in (None, generation):
        os.utime(published.generations / str(before))  # it is kept for ten minutes from here
    _point(published.current, f"generations/{generation}")
    if not published.link.is_symlink() or published.link.readlink() != Path(_THROUGH_CURRENT):
        _point(published.link, _THROUGH_CURRENT)
    if not published.report.is_symlink() or published.report.readlink() != Path(_REPORT_THROUGH_CURRENT):
        _point(published.report, _REPORT_THROUGH_CURRENT)


def _point(link: Path, target: str) -> None:
    """Relative, so that the folder can be mounted anywhere."""
    temporary = link.with_name(f".{link.name}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
    sync_folder(link.parent)
