"""What cannot be fetched again, out and in: estimate snapshots and seeds. And the removal of everything else, on request."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import tarfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

from include.errors import TitansError, is_refused, refusal
from include.files import replacing
from include.landing.batches import read_manifest
from include.settings import PROJECT_ROOT, SOURCE_NAMES, Settings
from include.sources.base import Dataset
from titans.airflow_env import airflow_lock

_KEPT = (Dataset.ESTIMATES, Dataset.SHARES)
_MARKS = (
    "landing",
    "runs",
    "warehouse.duckdb",
    "titans.duckdb",
    "logs/make-run.log",
    "logs/standalone.log",
    "passwords.json",
)
"""What a folder of a store, of generations or of this project's Airflow holds."""


def back_up(settings: Settings) -> Path:
    """Write landing files of estimates and share counts of every source, and the seeds, into ``backups/titans-<time>.tar.gz`` beside the data folder.

    Raises:
        TitansError: the file cannot be written.
    """
    folder = settings.data_dir.parent / "backups"
    path = folder / f"titans-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    try:
        with replacing(path) as temporary, tarfile.open(temporary, "w:gz") as archive:
            for file in _snapshots(settings):
                archive.add(file, arcname=str(Path("data") / file.relative_to(settings.data_dir)))
            for file in sorted(settings.seeds_dir.glob("*.csv")):
                archive.add(file, arcname=f"seeds/{file.name}")
    except OSError as error:
        raise TitansError(f"The backup {path} cannot be written ({error}): free space and try again.") from error
    return path


def bring_back(settings: Settings, archive_path: str) -> list[str]:
    """Put the landing files of a backup back where they are missing; seeds are compared and left alone, since they are edited by hand.

    Returns:
        Lines that say what was done.

    Raises:
        TitansError: the file is missing, damaged or no backup.
    """
    if not archive_path:
        raise TitansError("Which backup? make restore FROM=backups/titans-<time>.tar.gz")
    path = (PROJECT_ROOT / archive_path).resolve()
    restored, different = 0, []
    try:
        _check_whole(path)
        with tarfile.open(path, "r:gz") as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            if not any(member.name.startswith("seeds/") for member in members):
                raise TitansError(
                    f"{path} is no backup of Titans: it holds no seeds. Give a file that make backup wrote."
                )
            for member in members:
                top, *rest = Path(member.name).parts
                if top == "seeds" and len(rest) == 1 and rest[0].endswith(".csv"):
                    target, data = settings.seeds_dir / rest[0], _content(archive, member)
                    if not target.exists():
                        target.write_bytes(data)
                        restored += 1
                    elif target.read_bytes() != data:
                        different.append(rest[0])
                elif top == "data" and _is_landing_file(rest):
                    restored += _restore_landing(settings.data_dir.joinpath(*rest), _content(archive, member))
    except OSError as error:
        if is_refused(error):
            raise TitansError(refusal(error)) from error
        raise TitansError(f"Backup {path} cannot be read ({error}): give a file that make backup wrote.") from error
    except (EOFError, zlib.error, tarfile.TarError) as error:
        raise TitansError(f"Backup {path} cannot be read ({error}): give a file that make backup wrote.") from error
    lines = [f"Restored {restored} files from {path}. The next build loads them: make run."]
    if different:
        lines.append(f"Seeds that differ from the backup and were left as they are: {', '.join(different)}.")
    return lines


def _check_whole(path: Path) -> None:
    """Read the file to its checksum: to tarfile, a damaged header is the end of the archive, and what comes after it would be lost in silence."""
    with gzip.open(path) as file:
        while file.read(1 << 20):
            pass


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None, "only members that are files are asked for"
    return file.read()


def remove_data(settings: Settings, confirm: str) -> list[str]:
    """List the data folder; with ``confirm`` = yes, back up and remove it.

    Raises:
        TitansError: not confirmed, and the listing is in the message; or Airflow is at work on the folder.
    """
    if not settings.data_dir.exists():
        return [f"{settings.data_dir} does not exist: nothing to remove."]
    own = [settings.data_dir / name for name in (*SOURCE_NAMES, "published", "airflow")]
    # Only what looks like Titans inside, whatever its name: ~/airflow is Airflow's own default home.
    own = [path for path in own if any((path / mark).exists() for mark in _MARKS)]
    listing = [f"{entry.name}: {_size(entry) / 1e6:.1f} MB" for entry in own]
    if not own:
        raise TitansError(f"{settings.data_dir} holds nothing of Titans: nothing was removed. Check DATA.")
    if confirm != "yes":
        raise TitansError(
            f"This would remove from {settings.data_dir}: {'; '.join(listing)}. Nothing was removed. To do it: make reset CONFIRM=yes"
        )
    lock = settings.airflow_home / "titans.lock"
    # Whoever works on the folder would go on in files that are gone.
    with airflow_lock(settings, "make reset") if lock.exists() else contextlib.nullcontext():
        saved = back_up(settings)
        for path in own:
            shutil.rmtree(path)
    with contextlib.suppress(OSError):  # something else lies in it
        settings.data_dir.rmdir()
    return [*listing, f"Removed from {settings.data_dir}. Estimate snapshots and seeds are in {saved}."]


def _snapshots(settings: Settings) -> list[Path]:
    return sorted(
        file
        for source in SOURCE_NAMES
        for dataset in _KEPT
        for file in (settings.data_dir / source / "landing" / dataset).glob("*.parquet")
    )


def _is_landing_file(parts: list[str]) -> bool:
    """``<source>/landing/<dataset>/<name>.parquet``, and nothing that could leave the data folder."""
    return (
        len(parts) == 4
        and parts[0] in SOURCE_NAMES
        and parts[1] == "landing"
        and parts[2] in {str(dataset) for dataset in _KEPT}
        and parts[3].endswith(".parquet")
    )


def _restore_landing(target: Path, data: bytes) -> int:
    if target.exists():
        return 0
    with replacing(target) as temporary:
        temporary.write_bytes(data)
        read_manifest(temporary)
    return 1


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*")) if path.is_dir() else path.lstat().st_size
