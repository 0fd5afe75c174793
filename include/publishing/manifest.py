"""The manifest of a generation: what it holds, and the hashes that say whether it is still what was published."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from include.errors import NO_DESCRIPTOR, Runbook, TitansError, refusal
from include.files import write_whole
from include.paths import PublishedPaths
from include.production import SourceName
from include.publishing import early_layout
from include.sealed import DamagedError, read_sealed, seal


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


def read_manifest(published: PublishedPaths, generation: str) -> Manifest | str | None:
    """The manifest of a generation whose file has the size that it says, or what is wrong.

    None where the generation is gone: another process may have removed it just now.
    """
    file, path = published.file(generation), published.manifest(generation)
    is_early = generation in early_layout.generations(published)
    if is_early:
        file, path = early_layout.file(published, generation), early_layout.manifest(published, generation)
    try:
        manifest = read_sealed(Manifest, path, needs_hash=not is_early)
        if manifest.generation != generation:
            return f"{path} is of generation {manifest.generation}"
    except (FileNotFoundError, NotADirectoryError):
        return f"{path} is missing" if file.parent.exists() else None
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
    """What is wrong with the database of a generation; None where it is what was published.

    Its hash says so, and that nobody has written to it: what stands in a log beside it, readers see as well.

    Raises:
        TitansError: no file can be opened now, whatever is in it.
    """
    if manifest.file_sha256 is None:  # of an early layout, which has no hashes
        return None
    file = published.file(manifest.generation)
    if file.with_name(f"{file.name}.wal").exists():
        return f"{file} has a write-ahead log beside it: a client has written to it"
    try:
        is_whole = _digest(file) == manifest.file_sha256
    except OSError as error:
        if error.errno in NO_DESCRIPTOR:
            raise TitansError(refusal(error)) from error
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
