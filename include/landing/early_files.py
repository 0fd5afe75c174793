"""Landing files of early versions: when each landed, and its hash. They say neither, and are never rewritten."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel

from include.errors import Runbook, TitansError
from include.files import write_whole
from include.locks import exclusive
from include.paths import StorePaths
from include.sealed import DamagedError, read_sealed, seal

_PATIENCE_SECONDS = 60.0


class EarlyFile(BaseModel):
    """What is noted of one file when this version first reads it.

    Attributes:
        landed_at: the file's time on disk, which is that of its landing until somebody copies it. No two are equal.
        manifest_hash: SHA-256 of the manifest in its footer.
        file_hash: SHA-256 of the file.
    """

    landed_at: datetime
    manifest_hash: str
    file_hash: str


class _Record(BaseModel):
    files: dict[str, EarlyFile]
    """By file name."""


def early_files(store: StorePaths, found: Iterable[tuple[Path, str]]) -> dict[str, EarlyFile]:
    """What is on record of each early file, by its name. Of a file that has none yet, it goes on record.

    The record, ``landing/early_files.json``, is kept for good: the order of versions is the same in every later
    rebuild, also from a copy of the data folder, and a file that was changed since is noticed.

    Args:
        found: the files, with the hash of the manifest that each has now.

    Raises:
        TitansError: the record cannot be read or written.
    """
    path = store.landing / "early_files.json"
    hashes = {file.name: manifest_hash for file, manifest_hash in found}
    known = _read(path)
    if not hashes.keys() <= known.keys():
        refusal = "Another task is noting when older files landed: {who}. Try again."
        with exclusive(store.landing / ".early_files.lock", "early landing files", refusal, _PATIENCE_SECONDS):
            known = _read(path)
            new = [(file, manifest_hash) for file, manifest_hash in found if file.name not in known]
            _add(known, new)
            write_whole(path, seal(_Record(files=known)))
    return known


def landing_times(store: StorePaths) -> dict[str, datetime]:
    """When each early file on record landed, by its name.

    Raises:
        TitansError: the record cannot be read.
    """
    return {name: file.landed_at for name, file in _read(store.landing / "early_files.json").items()}


def _add(known: dict[str, EarlyFile], new: Iterable[tuple[Path, str]]) -> None:
    taken = {file.landed_at for file in known.values()}
    for path, manifest_hash in sorted(new, key=lambda each: (each[0].stat().st_mtime_ns, each[0].name)):
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=path.stat().st_mtime_ns // 1000)
        while moment in taken:
            moment += timedelta(microseconds=1)
        taken.add(moment)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known[path.name] = EarlyFile(landed_at=moment, manifest_hash=manifest_hash, file_hash=digest)


def _read(path: Path) -> dict[str, EarlyFile]:
    try:
        return read_sealed(_Record, path, needs_hash=True).files
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except DamagedError as error:
        raise TitansError(
            f"{path} cannot be read ({error}): it says in which order older deliveries landed. "
            "Bring a copy of it back. If there is none, move it away: the times of the landing files are read again.",
            Runbook.BAD_INPUT,
        ) from error
