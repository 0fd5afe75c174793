"""Published generations: whole DuckDB files, their manifests, and the link that names the one people read."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ValidationError

from include.files import sync_folder
from include.locks import exclusive
from include.paths import PublishedPaths
from include.production import SourceName
from include.settings import PROJECT_ROOT

_NAME = re.compile(r"^titans-(?P<generation>\d{8}T\d{6}\.\d{6}Z-[0-9a-z]+)\.duckdb$")
_YOUNG = timedelta(minutes=10)
_PATIENCE_SECONDS = 60.0
FOLDER_MODE = 0o755
"""Readers cannot put another file under a published name, whatever the umask."""


class Manifest(BaseModel):
    """What a generation holds and where it comes from; ``titans-<generation>.json`` beside it."""

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


class Hold(BaseModel):
    """A rollback that holds: the link stays on ``generation`` until ``make publish``."""

    generation: str
    since: datetime


def new_generation_name(now: datetime) -> str:
    """``<UTC time to the microsecond>-<short git sha or nogit>``."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{_short_sha()}"


def after_all(published: PublishedPaths, now: datetime) -> datetime:
    """``now``, or the microsecond after the newest generation.

    Names follow the order of publishing, also after a clock was set back.
    """
    return max([now, *(manifest.published_at + timedelta(microseconds=1) for manifest in manifests(published))])


def _short_sha() -> str:
    git = shutil.which("git")
    if git is None or not (PROJECT_ROOT / ".git").exists():
        return "nogit"
    result = subprocess.run(
        [git, "rev-parse", "--short", "HEAD"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return result.stdout.strip() if result.returncode == 0 else "nogit"


def manifests(published: PublishedPaths) -> list[Manifest]:
    """All whole generations, oldest first: those with both file and readable manifest."""
    found = []
    for path in published.folder.glob("titans-*.json"):
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        # The name becomes a path, which must not leave the folder.
        path_of_file = published.file(manifest.generation)
        if _NAME.fullmatch(f"titans-{manifest.generation}.duckdb") and path_of_file.exists():
            found.append(manifest)
    return sorted(found, key=lambda manifest: manifest.generation)


def linked_generation(published: PublishedPaths) -> str | None:
    """The generation that the link names, or None where nothing is published."""
    try:
        match = _NAME.match(published.link.readlink().name)
    except OSError:
        return None
    return match["generation"] if match and published.file(match["generation"]).exists() else None


def linked_manifest(published: PublishedPaths) -> Manifest | None:
    """What is known of the generation that the link names; None where nothing is, or its manifest cannot be read."""
    linked = linked_generation(published)
    return next((manifest for manifest in manifests(published) if manifest.generation == linked), None)


def last_of_source(published: PublishedPaths, source: str) -> Manifest | None:
    """The newest generation of ``source``, linked or not."""
    return next((manifest for manifest in reversed(manifests(published)) if manifest.source == source), None)


def hold(published: PublishedPaths) -> Hold | None:
    """The rollback in force, if any."""
    try:
        return Hold.model_validate_json(published.hold.read_bytes())
    except (OSError, ValidationError):
        return None


@contextmanager
def link_lock(published: PublishedPaths, holder: str) -> Iterator[None]:
    """The only right to move the link, hold it or prune: builds of several sources and people share the folder.

    Raises:
        HeldError: another process holds it for longer than a minute.
    """
    published.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    refusal = f"The link in {published.folder} is being moved: {{who}}. Wait for it to end, then try again."
    with exclusive(published.lock, holder, refusal, _PATIENCE_SECONDS):
        yield


def move_link(published: PublishedPaths, generation: str) -> None:
    """Point ``titans.duckdb`` at a generation in one atomic step: readers see the old file or the new one.

    The caller holds the link lock.
    """
    temporary = published.folder / ".titans.link"
    temporary.unlink(missing_ok=True)
    # The target is a bare name, so that the folder can be mounted anywhere.
    temporary.symlink_to(published.file(generation).name)
    temporary.replace(published.link)
    sync_folder(published.folder)


def prune(published: PublishedPaths, keep: int, now: datetime | None = None) -> list[str]:
    """Remove old generations.

    The last ``keep`` of each source stay, the linked and the held one, and those younger than 10 minutes.
    """
    now = now or datetime.now(UTC)
    known = manifests(published)
    kept = {linked_generation(published)}
    if (held := hold(published)) is not None:
        kept.add(held.generation)
    for source in {manifest.source for manifest in known}:
        kept |= {manifest.generation for manifest in [m for m in known if m.source == source][-keep:]}
    removed = []
    for manifest in known:
        if manifest.generation not in kept and now - manifest.published_at > _YOUNG:
            published.file(manifest.generation).unlink()
            published.manifest(manifest.generation).unlink()
            removed.append(manifest.generation)
    # What a killed build left: a half-written file, or one of the pair of file and manifest without the other.
    whole = {manifest.generation for manifest in manifests(published)}
    pairs = [path for ending in ("duckdb", "json") for path in published.folder.glob(f"titans-*.{ending}")]
    for leftover in [
        *published.folder.glob(".titans-*"),
        *(path for path in pairs if path.stem.removeprefix("titans-") not in whole),
    ]:
        if now.timestamp() - leftover.lstat().st_mtime > _YOUNG.total_seconds():
            leftover.unlink(missing_ok=True)
    return removed
