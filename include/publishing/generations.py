"""Published generations: folders with a DuckDB file and its manifest, and the link to the one that people read."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel

from include.errors import Runbook, TitansError
from include.files import sync_folder, write_whole
from include.locks import exclusive
from include.paths import PublishedPaths
from include.production import SourceName
from include.publishing import early_layout
from include.sealed import DamagedError, read_sealed, seal
from include.settings import PROJECT_ROOT

_NAME = re.compile(rf"{early_layout.TIME}-[0-9a-z]+")
_TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"
_THROUGH_CURRENT = "current/titans.duckdb"
_PATIENCE_SECONDS = 60.0
FOLDER_MODE = 0o755
"""Readers cannot put another file under a published name, whatever the umask."""


class Manifest(BaseModel):
    """What a generation holds and where it comes from; ``manifest.json`` in its folder, with a hash of its own.

    Attributes:
        file_bytes: size of the database.
        file_sha256: hash of the database.
    """

    generation: str
    source: SourceName
    is_simulated: bool
    published_at: datetime
    as_of: str | None
    run_id: str
    row_counts: dict[str, int]
    checks_passed: int
    checks_warned: int
    accepted_loss: str | None = None
    raw_state: str | None = None
    file_bytes: int | None = None
    file_sha256: str | None = None


class Hold(BaseModel):
    """A rollback that holds: the link stays on ``generation`` until ``make publish``.

    Attributes:
        generation: None where the file cannot be read. The link is held all the same, wherever it is.
    """

    generation: str | None
    since: datetime


def new_generation_name(now: datetime) -> str:
    """``<UTC time to the microsecond>-<short git sha or nogit>``."""
    return f"{now.astimezone(UTC).strftime(_TIME_FORMAT)}-{_short_sha()}"


def after_all(published: PublishedPaths, now: datetime) -> datetime:
    """``now``, or the microsecond after the newest generation.

    Names follow the order of publishing, also after a clock was set back.
    """
    newest = max(names(published), default="")
    if f"{now.astimezone(UTC).strftime(_TIME_FORMAT)}-" > newest:
        return now
    return _time(newest) + timedelta(microseconds=1)


def _time(generation: str) -> datetime:
    return datetime.strptime(generation.split("-")[0], _TIME_FORMAT).replace(tzinfo=UTC)


def _is_name(text: str) -> bool:
    try:
        return _NAME.fullmatch(text) is not None and _time(text) is not None
    except ValueError:  # no such day
        return False


def _short_sha() -> str:
    git = shutil.which("git")
    if git is None or not (PROJECT_ROOT / ".git").exists():
        return "nogit"
    result = subprocess.run(
        [git, "rev-parse", "--short", "HEAD"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    return result.stdout.strip() if result.returncode == 0 else "nogit"


def names(published: PublishedPaths) -> list[str]:
    """All generations, whole or damaged, oldest first."""
    found = set(early_layout.generations(published))
    if published.generations.exists():
        if not published.generations.is_dir():
            raise TitansError(
                f"{published.generations} is no folder: move it away, then run again.", Runbook.PUBLISH_FAILED
            )
        found |= {path.name for path in published.generations.iterdir() if _is_name(path.name)}
    return sorted(found)


def manifests(published: PublishedPaths) -> list[Manifest]:
    """The manifests of all generations that are not damaged, oldest first."""
    return [found for name in names(published) if isinstance(found := _manifest(published, name), Manifest)]


def damaged_generations(published: PublishedPaths) -> dict[str, str]:
    """The other generations, each with a sentence on what is wrong. Nothing removes them but a person."""
    found = {name: _manifest(published, name) for name in names(published)}
    return {name: problem for name, problem in found.items() if isinstance(problem, str)}


def _manifest(published: PublishedPaths, generation: str) -> Manifest | str:
    """The manifest of a generation whose file has the size that it says, or what is wrong."""
    file, path = published.file(generation), published.manifest(generation)
    is_early = generation in early_layout.generations(published)
    if is_early:
        file, path = early_layout.file(published, generation), early_layout.manifest(published, generation)
    try:
        manifest = read_sealed(Manifest, path, needs_hash=not is_early)
        if manifest.generation != generation:
            return f"{path} is of generation {manifest.generation}"
    except (FileNotFoundError, NotADirectoryError):
        return f"{path} is missing"
    except DamagedError as error:
        return f"{path} cannot be read ({error})"
    try:
        size = file.stat().st_size
    except OSError as error:
        return f"{file} cannot be read ({error.strerror})"
    return manifest if size == (manifest.file_bytes or size) else f"{file} does not have the size that it had"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest beside the database of ``folder``, with size and hash of that file."""
    file = folder / "titans.duckdb"
    facts = {"file_bytes": file.stat().st_size, "file_sha256": _digest(file)}
    write_whole(folder / "manifest.json", seal(manifest.model_copy(update=facts)))


def problem_of_file(published: PublishedPaths, manifest: Manifest) -> str | None:
    """What is wrong with the database of a generation, by its hash; None where it is what was published."""
    if manifest.file_sha256 is None:  # of an early layout, which has no hashes
        return None
    file = published.file(manifest.generation)
    try:
        is_whole = _digest(file) == manifest.file_sha256
    except OSError as error:
        return f"{file} cannot be read ({error.strerror})"
    return None if is_whole else f"{file} does not hash to what was published"


def refuse_damaged_file(published: PublishedPaths, manifest: Manifest) -> None:
    """Refuse a generation whose database is damaged.

    Raises:
        TitansError: it was changed, or cannot be read.
    """
    if problem := problem_of_file(published, manifest):
        raise TitansError(f"{problem}: nothing was moved.", Runbook.PUBLISH_FAILED)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def new_folder(published: PublishedPaths, manifest: Manifest) -> Iterator[Path]:
    """Yield an empty folder, which becomes that of a generation in one step once the block has filled it.

    Each source has one such folder, since one build of a source runs at a time: what a killed one left goes here.
    """
    published.generations.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    temporary = published.generations / f".{manifest.source}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(mode=FOLDER_MODE)
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
    """The generation that the link names, or None where nothing is published.

    Raises:
        TitansError: in the place of a link is something else.
    """
    _refuse_no_link(published.link)
    _refuse_no_link(published.current)
    if (early := early_layout.linked(published)) is not None:
        return early
    if not published.current.is_symlink() or published.link.readlink() != Path(_THROUGH_CURRENT):
        return None
    folder, _, name = str(published.current.readlink()).partition("/")
    return name if folder == "generations" and _is_name(name) and published.file(name).exists() else None


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
        manifest = _manifest(published, generation)
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
        (published.generations / str(before)).touch()  # it is kept for ten minutes from here
    _point(published.current, f"generations/{generation}")
    if not published.link.is_symlink() or published.link.readlink() != Path(_THROUGH_CURRENT):
        _point(published.link, _THROUGH_CURRENT)


def _point(link: Path, target: str) -> None:
    """Relative, so that the folder can be mounted anywhere."""
    temporary = link.with_name(f".{link.name}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
    sync_folder(link.parent)
