"""``make backup``: what cannot be fetched again, which is estimate snapshots, share counts, fundamentals and seeds."""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime
from pathlib import Path

from include.errors import TitansError, is_refused, refusal
from include.files import files_in, replacing
from include.landing.batches import DamagedLandingError, checked_rows, read_manifest
from include.landing.early_files import landing_times
from include.production import SOURCE_NAMES, SourceName
from include.settings import Settings, load_shared_settings
from include.sources.base import Dataset
from titans.output import console

KEPT = (Dataset.ESTIMATES, Dataset.SHARES, Dataset.FUNDAMENTALS)


def backup() -> None:
    """Copy estimate snapshots and seeds into one file; ends with 1 where a snapshot is damaged."""
    settings = load_shared_settings()
    path = back_up(settings)
    console.print(f"Backed up to {path}.", soft_wrap=True)
    if damaged := damaged_snapshots(settings):
        raise TitansError(
            f"{len(damaged)} snapshots are damaged, and lie in {path.name} as they are. An earlier backup may have "
            f"them whole: move each away, then make restore FROM=<that backup>. The first: {damaged[0]}"
        )


def back_up(settings: Settings) -> Path:
    """Write ``backups/titans-<time>.tar.gz`` beside the data folder: landing files of ``KEPT`` and the seeds.

    Raises:
        TitansError: a file cannot be read, or the backup cannot be written.
    """
    folder = settings.data_dir.parent / "backups"
    # To the microsecond: two backups in one second would write one file.
    path = folder / f"titans-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.tar.gz"
    try:
        with replacing(path) as temporary, tarfile.open(temporary, "w:gz", dereference=True) as archive:
            for source in SOURCE_NAMES:
                landed_at = _landing_times(settings, source)
                for file in _snapshots(settings, source):
                    name = str(Path("data") / file.relative_to(settings.data_dir))
                    member = archive.gettarinfo(file, arcname=name)
                    # Files of early versions do not say when they landed, and a copy of the folder has other times.
                    if file.name in landed_at:
                        member.mtime = landed_at[file.name].timestamp()
                    with file.open("rb") as content:
                        archive.addfile(member, content)
            for file in files_in(settings.seeds_dir, ".csv"):
                archive.add(file, arcname=f"seeds/{file.name}")
    except OSError as error:
        is_named = error.filename is not None and is_refused(error)
        why = refusal(error) if is_named else f"{error}: free space and try again."
        raise TitansError(f"The backup {path} cannot be written. {why}") from error
    return path


def damaged_snapshots(settings: Settings) -> list[str]:
    """A sentence about each snapshot that is not what landed."""
    found = []
    for file in (file for source in SOURCE_NAMES for file in _snapshots(settings, source)):
        try:
            checked_rows(file, read_manifest(file))
        except DamagedLandingError as error:
            found.append(str(error))
    return found


def _landing_times(settings: Settings, source: SourceName) -> dict[str, datetime]:
    """Where they cannot be read, a build says so, and the times of the files must do."""
    try:
        return landing_times(settings.store_of(source))
    except TitansError:
        return {}


def _snapshots(settings: Settings, source: SourceName) -> list[Path]:
    landing = settings.store_of(source).landing
    return [file for dataset in KEPT for file in files_in(landing / dataset, ".parquet")]
